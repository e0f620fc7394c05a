"""A contract's fields as facts for people and for other schemas: kind, unit, range, values, meaning."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.contracts import CONTRACTS
from ingest.contracts.contract import EARLIEST, LATEST
from ingest.derive.arrow import ENVELOPE

LINEAGE = {
    "segment": "Landed segment that the row came from; `gorodok kpi --explain` leads here",
    "segment_row": "Place of the row in its segment, from 0",
}
"""Columns that the load adds after the envelope (warehouse.tables.LINEAGE; a test compares the names)."""

_KINDS = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field of a message.

    kind: "text", "time", "number", "list of Info", …; limits: range, length or pattern in words, "" when
    anything goes; values: what an enumeration allows; default: as JSON shows it, None when the field is
    required or absent by default.
    """

    name: str
    kind: str
    required: bool
    unit: str | None
    limits: str
    values: tuple[str, ...]
    default: Any
    personal: bool
    description: str


@functools.cache
def fields_of(feed: str) -> tuple[FieldFacts, ...]:
    """The contract's own fields, in order."""
    schema = CONTRACTS[feed].model_json_schema()
    required = set(schema.get("required", ()))
    return tuple(_facts(name, about, name in required) for name, about in schema["properties"].items())


def columns_of(feed: str) -> Iterator[tuple[str, str]]:
    """(column, description) of raw.<feed>: fields, envelope, lineage."""
    for field in fields_of(feed):
        measured = f" Unit: {field.unit}." if field.unit else ""
        private = " Personal: pseudonymised in staging." if field.personal else ""
        yield field.name, f"{field.description.rstrip('.')}.{measured}{private}"
    for name in ENVELOPE.names:
        yield name, ENVELOPE.field(name).metadata[b"description"].decode() + "."
    for name, description in LINEAGE.items():
        yield name, description + "."


def rules_of(feed: str) -> tuple[str, ...]:
    """What the contract demands of fields together, in words: the names of its validators."""
    validators = CONTRACTS[feed].__pydantic_decorators__.model_validators
    return tuple(name.replace("_", " ") for name in validators)


def _facts(name: str, about: dict[str, Any], required: bool) -> FieldFacts:
    plain = _not_null(about)
    return FieldFacts(
        name=name,
        kind=_kind(plain),
        required=required,
        unit=about.get("unit") or plain.get("unit"),
        limits=_limits(plain),
        values=tuple(str(value) for value in plain.get("enum", [plain["const"]] if "const" in plain else [])),
        default=about.get("default"),
        personal=bool(about.get("personal")),
        description=about.get("description", ""),
    )


def _not_null(about: dict[str, Any]) -> dict[str, Any]:
    """The schema under Optional."""
    for option in about.get("anyOf", ()):
        if option.get("type") != "null":
            return dict(option)
    return about


def _kind(plain: dict[str, Any]) -> str:
    if "$ref" in plain:
        return str(plain["$ref"]).rsplit("/", 1)[-1]
    if plain.get("type") == "array":
        return f"list of {_kind(plain['items'])}"
    if plain.get("format") == "date-time":
        return "time"
    if plain.get("format") == "base64url":
        return "bytes, base64"
    return _KINDS.get(plain.get("type", "string"), "anything")


def _limits(plain: dict[str, Any]) -> str:
    if plain.get("format") == "date-time":
        return f"{EARLIEST:%Y-%m-%d} … {LATEST:%Y-%m-%d}, with offset"
    if "pattern" in plain and "minLength" not in plain:
        return f"matches `{plain['pattern']}`"
    low = plain.get("minimum", plain.get("exclusiveMinimum"))
    high = plain.get("maximum", plain.get("exclusiveMaximum"))
    if low is not None or high is not None:
        return _range(low, high, below="exclusiveMaximum" in plain)
    if "maxLength" in plain:
        return f"{plain.get('minLength', 0)} … {plain['maxLength']} characters"
    if "minItems" in plain:
        return f"at least {plain['minItems']}"
    return ""


def _range(low: float | None, high: float | None, below: bool) -> str:
    if high is None:
        return f"{low:g} or more"
    if low is None:
        return f"{'below' if below else 'up to'} {high:g}"
    if below:
        return f"{low:g} or more, below {high:g}" if high < 1e6 else f"{low:g} or more, below {high:.3g}"
    return f"{low:g} … {high:g}"
