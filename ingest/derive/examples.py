"""One message of each feed that validates: what docs show and tests start from.

A hand-written one lies in `examples/<feed>.json`; without it one is made from the field types, which does
for a contract whose fields do not depend on each other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ingest.contracts import CONTRACTS

EXAMPLES = Path(__file__).resolve().parent / "examples"
EVENT_TIME = "2026-11-24T08:15:00+03:00"


def example_of(feed: str) -> dict[str, Any]:
    """The example as JSON values; raises ValueError when the contract refuses it, naming the file to mend."""
    path = EXAMPLES / f"{feed}.json"
    text = path.read_text("utf-8") if path.exists() else json.dumps(_made(feed))
    try:
        CONTRACTS[feed].model_validate_json(text)
    except ValidationError as error:
        what = "is refused" if path.exists() else "cannot be made from the field types"
        raise ValueError(f"{feed}: the example {what}: {error}\nWrite one that validates to {path}") from error
    return dict(json.loads(text))


def _made(feed: str) -> dict[str, Any]:
    """Every required field and every field with a unit."""
    schema = CONTRACTS[feed].model_json_schema()
    required = set(schema.get("required", ()))
    return {
        name: _value(name, about, schema.get("$defs", {}))
        for name, about in schema["properties"].items()
        if name in required or "unit" in about
    }


def _value(name: str, about: dict[str, Any], definitions: dict[str, Any]) -> Any:
    plain = next((option for option in about.get("anyOf", ()) if option.get("type") != "null"), about)
    if "$ref" in plain:
        part = definitions[plain["$ref"].rsplit("/", 1)[-1]]
        return {key: _value(key, part["properties"][key], definitions) for key in part.get("required", ())}
    if plain.get("type") == "array":
        return [_value(name, plain["items"], definitions)] * plain.get("minItems", 0)
    return _scalar(name, plain)


def _scalar(name: str, plain: dict[str, Any]) -> Any:
    if plain.get("examples"):
        return plain["examples"][0]
    if "enum" in plain or "const" in plain:
        return plain.get("enum", [plain.get("const")])[0]
    if plain.get("type") in ("number", "integer"):
        low = plain.get("minimum", 0)
        middle = low + (min(plain.get("maximum", low + 20), low + 20) - low) / 2
        return int(middle) if plain["type"] == "integer" else middle
    by_format = {"date-time": EVENT_TIME, "base64url": "e30="}
    if plain.get("type") == "boolean" or plain.get("format") in by_format:
        return by_format.get(plain.get("format", ""), False)
    return f"{name.removesuffix('_id')}-1".ljust(plain.get("minLength", 0), "0")
