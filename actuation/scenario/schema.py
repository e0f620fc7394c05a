"""The JSON Schema of a scenario's file, from which editors complete: docs/scenario.schema.json.

python -m actuation.scenario.schema [--check]
"""

from __future__ import annotations

import json
import sys
from typing import Any

from actuation.scenario.model import Scenario
from city.settings import ROOT

PATH = ROOT / "docs" / "scenario.schema.json"


def schema_text() -> str:
    schema: dict[str, Any] = Scenario.model_json_schema(by_alias=True)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Gorodok scenario"}
    return json.dumps({**schema, **head}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def is_stale() -> bool:
    return not PATH.exists() or PATH.read_text(encoding="utf-8") != schema_text()


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(f"{PATH} is stale: run python -m actuation.scenario.schema" if is_stale() else 0)
    PATH.write_text(schema_text(), encoding="utf-8")
