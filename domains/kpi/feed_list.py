"""The contracts' facts as a dbt macro: `python -m domains.kpi.feed_list` writes it, a test says when it is stale."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ingest.contracts import CONTRACTS, Contract

PATH = Path(__file__).resolve().parents[2] / "dbt" / "macros" / "feeds.sql"

UNDER_PSEUDONYM = {"meter_id"}
"""Entities that leave staging only under a pseudonym."""


def feeds_macro(contracts: Mapping[str, type[Contract]]) -> str:
    """Text of macros/feeds.sql: one entry per contract, in the order of the codes."""
    entries = []
    for code, contract in contracts.items():
        spec = contract.spec
        boot, counter = spec.sequence or (None, None)
        entry = {
            "code": code,
            "origin": spec.origin,
            "owner": spec.owner,
            "freshness_s": spec.freshness_s,
            "entity": spec.entity,
            "under_pseudonym": spec.entity in UNDER_PSEUDONYM,
            "boot": boot,
            "counter": counter,
        }
        entries.append("        " + json.dumps(entry).replace("null", "none"))
    return (
        "{#- Generated from ingest/contracts by `python -m domains.kpi.feed_list`; do not edit. -#}\n"
        "{% macro feeds() -%}\n    {{ return([\n" + ",\n".join(entries) + "\n    ]) }}\n{%- endmacro %}\n"
    )


if __name__ == "__main__":
    PATH.write_text(feeds_macro(CONTRACTS), encoding="utf-8")
