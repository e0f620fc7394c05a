"""Contracts as dbt's source `raw`: one table a feed, with grain, columns, units, and what must not be null."""

from __future__ import annotations

from typing import Any

import yaml

from ingest.contracts import CONTRACTS
from ingest.derive.fields import columns_of, fields_of

ENVELOPE_NOT_NULL = ("event_at", "received_at", "clock_status")

QUOTED = frozenset({"at"})
"""Columns that a test must quote: DuckDB reads `at` as the beginning of time travel."""


def dbt_sources() -> dict[str, Any]:
    """The YAML's content; a key field that a contract leaves optional may be null and is not tested."""
    return {
        "version": 2,
        "sources": [
            {
                "name": "raw",
                "database": "lake",
                "schema": "raw",
                "description": "Landed feeds, one table a contract; written by the load only.",
                "tables": [_table(feed) for feed in CONTRACTS],
            }
        ],
    }


def dbt_sources_text() -> str:
    head = "# Generated from ingest/contracts by `python -m ingest.derive`; do not edit.\n"
    return head + yaml.safe_dump(dbt_sources(), sort_keys=False, allow_unicode=True, width=110)


def _table(feed: str) -> dict[str, Any]:
    spec = CONTRACTS[feed].spec
    tested = {field.name for field in fields_of(feed) if field.required and field.name in (*spec.key, spec.event_time)}
    tested |= set(ENVELOPE_NOT_NULL)
    return {
        "name": feed,
        "description": f"{spec.title_en}: {spec.grain}.",
        "meta": {"owner": spec.owner, "key": list(spec.key), "event_time": spec.event_time},
        "columns": [_column(name, description, name in tested) for name, description in columns_of(feed)],
    }


def _column(name: str, description: str, not_null: bool) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "description": description}
    if name in QUOTED:
        column["quote"] = True
    if not_null:
        column["data_tests"] = ["not_null"]
    return column
