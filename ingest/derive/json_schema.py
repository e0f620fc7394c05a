"""A contract as JSON Schema (2020-12): what a device maker's tools read."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ingest.contracts import CONTRACTS


def json_schema_of(feed: str) -> dict[str, Any]:
    """The schema of one message (a JSON object); on the wire an array of them is allowed too."""
    contract = CONTRACTS[feed]
    spec = dataclasses.asdict(contract.spec)
    own = contract.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:gorodok:v1:{feed}",
        **own,
        "title": contract.spec.title_en,
        "description": contract.spec.grain,
        "x-gorodok": {name: spec[name] for name in spec if name not in ("title_en", "grain")},
    }


def json_schema_text(feed: str) -> str:
    return json.dumps(json_schema_of(feed), indent=1, ensure_ascii=False) + "\n"
