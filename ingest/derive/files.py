"""Which files are generated from the contracts, and what must stand in them."""

from __future__ import annotations

from pathlib import Path

from ingest.contracts import CONTRACTS
from ingest.derive.asyncapi import asyncapi_text
from ingest.derive.dbt_sources import dbt_sources_text
from ingest.derive.docs_page import index_page, page_of
from ingest.derive.json_schema import json_schema_text
from ingest.quality.suite import SUITES, suite_path, suite_text

ROOT = Path(__file__).resolve().parent.parent.parent
CONTRACT_DOCS = ROOT / "docs" / "contracts"
DBT_SOURCES = ROOT / "dbt" / "models" / "staging" / "_sources.yml"


def generated() -> dict[Path, str]:
    """Path → text of every generated file."""
    files = {
        DBT_SOURCES: dbt_sources_text(),
        CONTRACT_DOCS / "asyncapi.yaml": asyncapi_text(),
        CONTRACT_DOCS / "index.md": index_page(),
    }
    for feed in CONTRACTS:
        files[CONTRACT_DOCS / f"{feed}.md"] = page_of(feed)
        files[CONTRACT_DOCS / f"{feed}.schema.json"] = json_schema_text(feed)
        files[suite_path(feed)] = suite_text(feed)
    return files


def stale() -> list[Path]:
    """Files that say something else than the contracts do, are missing, or belong to no contract."""
    wanted = generated()
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return sorted([*changed, *_orphans(wanted)])


def write_all() -> list[Path]:
    """Makes every generated file right; gives the paths that changed."""
    wanted = generated()
    changed = stale()
    for path in changed:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return changed


def _orphans(wanted: dict[Path, str]) -> list[Path]:
    """Only generated files live in these folders, so what no contract asks for is left over from one."""
    lying = [path for folder in (CONTRACT_DOCS, SUITES) for path in folder.glob("*.*")]
    return [path for path in lying if path not in wanted]
