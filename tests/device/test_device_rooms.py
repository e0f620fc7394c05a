"""A controller's maker reads device/ alone: it imports the standard library, cryptography, and paho in one file."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from city.settings import ROOT

ALLOWED = {"cryptography", "device"}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names)


def test_device_imports_little() -> None:
    files = sorted((ROOT / "device").glob("*.py"))
    assert len(files) > 8
    for path in files:
        more = {"paho"} if path.name == "mqtt.py" else set()
        assert _imports(path) <= ALLOWED | more, path.name


def test_device_is_read_in_an_evening() -> None:
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in (ROOT / "device").glob("*.py"))
    assert lines < 1_500
