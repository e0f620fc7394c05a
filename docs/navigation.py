"""mkdocs hook: the contracts' pages under "Contracts", found by being there."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Appends every page of docs/contracts to the navigation's section of that name."""
    folder = Path(config["docs_dir"]) / "contracts"
    pages = sorted(path.name for path in folder.glob("*.md") if path.name != "index.md")
    for section in config["nav"]:
        if "Contracts" in section:
            section["Contracts"] = ["contracts/index.md", *[f"contracts/{page}" for page in pages]]
    return config
