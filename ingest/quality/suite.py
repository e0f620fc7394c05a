"""A contract as a Great Expectations suite, in Great Expectations' own JSON, made without importing it.

Severity `critical` is what the contract promises of every row: a failure says that something got past the
gateway's validation or was changed after it. Severity `warning` is about the batch as a whole: clocks, and
fields that rows from before a change of the contract do not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ingest.contracts import CONTRACTS
from ingest.contracts.contract import EARLIEST, LATEST

SUITES = Path(__file__).resolve().parent / "suites"
LOADED_COLUMNS = ("event_at", "received_at", "clock_status", "source", "segment", "segment_row")
CLOCKS_RIGHT = 0.9  # share of rows with a right clock below which a person should look at the feed's devices

Severity = Literal["critical", "warning"]
Expectation = dict[str, Any]


def suite_of(feed: str) -> dict[str, Any]:
    """The suite of one feed: what holds for `raw.<feed>`, in Great Expectations' own form."""
    contract = CONTRACTS[feed]
    schema = contract.model_json_schema()
    expectations = [
        _expect(
            "expect_table_columns_to_match_set", column_set=[*contract.model_fields, *LOADED_COLUMNS], exact_match=True
        ),
        *_key_is_unique(contract.spec.key),
    ]
    for name, property_ in schema["properties"].items():
        expectations += _column(name, property_, required=name in schema.get("required", ()))
    expectations += _envelope()
    return {"name": feed, "expectations": expectations, "meta": {"contract": feed, "grain": contract.spec.grain}}


def suite_text(feed: str) -> str:
    return json.dumps(suite_of(feed), indent=1, ensure_ascii=False) + "\n"


def suite_path(feed: str) -> Path:
    return SUITES / f"{feed}.json"


def stale() -> list[str]:
    """Files that do not say what the contracts say now: feed codes whose suite must be written or removed."""
    known = {path.stem for path in SUITES.glob("*.json")}
    changed = {
        feed for feed in CONTRACTS if feed not in known or suite_path(feed).read_text("utf-8") != suite_text(feed)
    }
    return sorted(changed | (known - set(CONTRACTS)))


def write_all() -> list[Path]:
    """Writes every suite, removes those without a contract; gives the paths that changed."""
    changed = [suite_path(feed) for feed in stale()]
    SUITES.mkdir(exist_ok=True)
    for path in changed:
        if path.stem in CONTRACTS:
            path.write_text(suite_text(path.stem), "utf-8")
        else:
            path.unlink()
    return changed


def _expect(kind: str, severity: Severity = "critical", **kwargs: Any) -> Expectation:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


def _key_is_unique(key: tuple[str, ...]) -> list[Expectation]:
    if len(key) == 1:
        return [_expect("expect_column_values_to_be_unique", column=key[0])]
    return [_expect("expect_compound_columns_to_be_unique", column_list=list(key), ignore_row_if="never")]


def _column(name: str, property_: dict[str, Any], *, required: bool) -> Iterator[Expectation]:
    options = property_.get("anyOf", [property_])
    values = [option for option in options if option.get("type") != "null"]
    if len(values) == len(options):
        yield _expect("expect_column_values_to_not_be_null", "critical" if required else "warning", column=name)
    if len(values) == 1:
        yield from _values(name, values[0])


def _values(name: str, value: dict[str, Any]) -> Iterator[Expectation]:
    kind = value.get("type")
    if "enum" in value or "const" in value:
        yield _expect("expect_column_values_to_be_in_set", column=name, value_set=value.get("enum") or [value["const"]])
    elif kind in ("integer", "number"):
        yield from _range(name, value)
    elif value.get("format") == "date-time":
        yield _expect(
            "expect_column_values_to_be_between",
            column=name,
            min_value=EARLIEST.isoformat(),
            max_value=LATEST.isoformat(),
        )
    elif kind == "string" and value.get("format") not in ("binary", "base64", "base64url"):
        yield from _string(name, value)


def _range(name: str, value: dict[str, Any]) -> Iterator[Expectation]:
    kwargs: dict[str, Any] = {}
    if "minimum" in value or "exclusiveMinimum" in value:
        kwargs["min_value"] = value.get("minimum", value.get("exclusiveMinimum"))
        kwargs |= {"strict_min": True} if "exclusiveMinimum" in value else {}
    if "maximum" in value or "exclusiveMaximum" in value:
        kwargs["max_value"] = value.get("maximum", value.get("exclusiveMaximum"))
        kwargs |= {"strict_max": True} if "exclusiveMaximum" in value else {}
    if kwargs:
        yield _expect("expect_column_values_to_be_between", column=name, **kwargs)


def _string(name: str, value: dict[str, Any]) -> Iterator[Expectation]:
    lengths = {"min_value": value.get("minLength"), "max_value": value.get("maxLength")}
    known = {key: length for key, length in lengths.items() if length is not None}
    if known:
        yield _expect("expect_column_value_lengths_to_be_between", column=name, **known)
    if "pattern" in value:
        yield _expect("expect_column_values_to_match_regex", column=name, regex=value["pattern"])


def _envelope() -> list[Expectation]:
    present = [_expect("expect_column_values_to_not_be_null", column=name) for name in LOADED_COLUMNS]
    return [
        *present,
        _expect("expect_column_values_to_be_in_set", column="clock_status", value_set=["ok", "ahead", "behind"]),
        _expect(
            "expect_column_values_to_be_in_set", "warning", column="clock_status", value_set=["ok"], mostly=CLOCKS_RIGHT
        ),
        _expect("expect_compound_columns_to_be_unique", column_list=["segment", "segment_row"], ignore_row_if="never"),
    ]


if __name__ == "__main__":
    for written in write_all():
        print(written)
