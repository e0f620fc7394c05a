"""Properties of every contract: valid messages survive the way to Arrow and back, wrong ones are refused by name."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.derive.arrow import ENVELOPE, landing_schema, to_batch
from ingest.derive.examples import example_of
from ingest.derive.json_schema import json_schema_of

FEEDS = tuple(CONTRACTS)
MOMENTS = st.datetimes(
    datetime(2000, 1, 2),
    datetime(2099, 12, 30),
    timezones=st.sampled_from([UTC, datetime.fromisoformat("2026-01-01T00:00+03:00").tzinfo]),
)

# What fields owe each other (the contract's validators) is made true after each field was drawn by itself.
TOGETHER = {
    "meter_reading": lambda m: (
        m | {"volume_m3": 1.5, "energy_kwh": None}
        if "water" in m["medium"]
        else m | {"volume_m3": None, "energy_kwh": 7.25}
    ),
    "scada_reading": lambda m: m | {"value": max(-10.0, min(200.0, m["value"]))},
}


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a JSON Schema of pydantic's allows."""
    if "$ref" in schema:
        return _values(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in schema:
        return st.one_of(*[_values(option, definitions) for option in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return {
        "null": st.none,
        "boolean": st.booleans,
        "integer": lambda: st.integers(schema.get("minimum", -(2**63)), _integer_top(schema)),
        "number": lambda: st.floats(
            schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False, width=64
        ),
        "string": lambda: _text(schema),
        "array": lambda: st.lists(
            _values(schema["items"], definitions), min_size=schema.get("minItems", 0), max_size=2
        ),
        "object": lambda: _objects(schema, definitions),
    }[schema["type"]]()


def _integer_top(schema: dict[str, Any]) -> int:
    return int(schema.get("maximum", schema.get("exclusiveMaximum", 2**63) - 1))


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return MOMENTS.map(datetime.isoformat)
    if schema.get("format") == "base64url":
        return st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    longest = min(schema.get("maxLength", 12), 12)
    if "pattern" in schema and "minLength" not in schema:
        return st.from_regex(schema["pattern"].replace("\\d", "[0-9]"), fullmatch=True)
    printable = st.characters(exclude_categories=("Cc", "Cs"))
    return st.text(printable, min_size=schema.get("minLength", 0), max_size=longest)


def _objects(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: _values(about, definitions) for name, about in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def _messages(feed: str) -> st.SearchStrategy[dict[str, Any]]:
    schema = CONTRACTS[feed].model_json_schema()
    drawn = _objects(schema, schema.get("$defs", {}))
    return drawn.map(TOGETHER.get(feed, lambda message: message))


def _json_of_row(schema: pa.Schema, row: dict[str, Any], feed: str) -> dict[str, Any]:
    """An Arrow row as the message on the wire: what export and retry would publish again."""
    message: dict[str, Any] = {}
    for name, value in row.items():
        if name in ENVELOPE.names or value is None:
            continue
        if isinstance(value, datetime):
            message[name] = value.isoformat()
        elif isinstance(value, bytes):
            message[name] = base64.urlsafe_b64encode(value).decode()
        elif _is_nested(feed, name):
            message[name] = json.loads(value)
        else:
            message[name] = value
    return message


def _is_nested(feed: str, name: str) -> bool:
    about = CONTRACTS[feed].model_json_schema()["properties"][name]
    return about.get("type") == "array" or "$ref" in about


@pytest.mark.parametrize("feed", FEEDS)
def test_a_valid_message_survives_the_way_to_arrow_and_back(feed: str) -> None:
    contract = CONTRACTS[feed]
    published = jsonschema.Draft202012Validator(json_schema_of(feed))

    # no shrinking: the messages are small, and shrinking one of forty fields took five minutes
    @settings(max_examples=30, deadline=None, database=None, phases=[Phase.generate])
    @given(_messages(feed))
    def check(message: dict[str, Any]) -> None:
        sent = json.dumps(message, ensure_ascii=False).encode()
        decoded = Decoder(contract).decode(sent)
        assert decoded.rejects == []
        published.validate(json.loads(sent))  # what the published schema allows, the gateway takes
        model = decoded.good[0]
        batch = to_batch(feed, [model], [datetime.now(UTC)], ["test"])
        assert batch.schema.equals(landing_schema(feed))
        again = _json_of_row(batch.schema, batch.to_pylist()[0], feed)
        assert contract.model_validate_json(json.dumps(again)) == model
        assert contract.model_validate_json(model.model_dump_json()) == model

    check()


def _limits() -> list[tuple[str, str, Any]]:
    """(feed, field, value just outside) of every bound of every contract."""
    cases = []
    for feed, contract in CONTRACTS.items():
        for name, about in contract.model_json_schema()["properties"].items():
            cases += [(feed, name, value) for value in _outside(about)]
    return cases


def _outside(about: dict[str, Any]) -> list[Any]:
    plain = next((option for option in about.get("anyOf", ()) if option.get("type") != "null"), about)
    found: list[Any] = []
    if "minimum" in plain:
        found.append(plain["minimum"] - 1)
    if "maximum" in plain:
        found.append(plain["maximum"] + 1 if plain["maximum"] < 1e9 else plain["maximum"] * 1.01)
    if "exclusiveMaximum" in plain:
        found.append(plain["exclusiveMaximum"])
    if "maxLength" in plain:
        found.append("x" * (plain["maxLength"] + 1))
    if plain.get("minLength"):
        found.append("")
    if "enum" in plain or "const" in plain:
        found.append("no-such-value")
    if "pattern" in plain:
        found.append("\x07")
    if plain.get("format") == "date-time":
        found += ["1999-12-31T23:59:59Z", "2100-01-02T00:00:00Z", "2026-11-24T08:15:00", "2026-11-24", 1764000000]
    return found


@pytest.mark.parametrize(("feed", "field", "value"), _limits(), ids=lambda part: str(part)[:24])
def test_a_value_outside_its_bounds_is_refused_by_field(feed: str, field: str, value: Any) -> None:
    _refused(feed, example_of(feed) | {field: value}, field)


def _wrong_types() -> list[tuple[str, str, Any]]:
    """Strict means strict: "12" is no number, 1 is not true, true is not 1, 12 is no text."""
    wrong = {
        "string": [12, True, {}, []],
        "number": ["12", True, {}],
        "integer": ["12", True, 1.5],
        "boolean": ["true", 1],
        "array": ["a", {}],
    }
    cases = []
    for feed, contract in CONTRACTS.items():
        for name, about in contract.model_json_schema()["properties"].items():
            plain = next((option for option in about.get("anyOf", ()) if option.get("type") != "null"), about)
            cases += [(feed, name, value) for value in wrong.get(plain.get("type", ""), [12])]
    return cases


@pytest.mark.parametrize(("feed", "field", "value"), _wrong_types(), ids=str)
def test_a_wrong_type_is_refused_by_field(feed: str, field: str, value: Any) -> None:
    _refused(feed, example_of(feed) | {field: value}, field)


@pytest.mark.parametrize("feed", FEEDS)
def test_an_unknown_key_is_refused_by_name(feed: str) -> None:
    reject = _refused(feed, example_of(feed) | {"temperatura": 1}, "temperatura")
    assert "remove it, or add it to the contract" in reject


@pytest.mark.parametrize(
    ("feed", "field"), [(feed, name) for feed in FEEDS for name in CONTRACTS[feed].model_json_schema()["required"]]
)
def test_a_missing_field_is_refused_by_name(feed: str, field: str) -> None:
    message = example_of(feed)
    del message[field]
    _refused(feed, message, field)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_refused(constant: str) -> None:
    text = json.dumps(example_of("vehicle_position")).replace("59.2205", constant)
    assert Decoder(CONTRACTS["vehicle_position"]).decode(text.encode()).rejects


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"energy_kwh": 1.0}, "cold_water meter gives volume_m3"),
        ({"medium": "heat"}, "heat meter gives energy_kwh"),
        ({"volume_m3": None}, "cold_water meter gives volume_m3"),
    ],
)
def test_a_meter_gives_the_counter_of_its_medium(change: dict[str, Any], said: str) -> None:
    message = json.dumps(example_of("meter_reading") | change).encode()
    assert said in Decoder(CONTRACTS["meter_reading"]).decode(message).rejects[0].reason


@pytest.mark.parametrize(("quantity", "value"), [("flow_m3_h", 1e6), ("pressure_m", -21.0), ("level_m", 201.0)])
def test_a_sensor_value_lies_in_the_range_of_its_quantity(quantity: str, value: float) -> None:
    message = json.dumps(example_of("scada_reading") | {"quantity": quantity, "value": value}).encode()
    assert quantity in Decoder(CONTRACTS["scada_reading"]).decode(message).rejects[0].reason


def _refused(feed: str, message: dict[str, Any], field: str) -> str:
    payload = json.dumps(message).encode()
    decoded = Decoder(CONTRACTS[feed]).decode(payload)
    assert decoded.good == []
    (reject,) = decoded.rejects
    assert reject.field is not None
    assert reject.field.split(".")[0] == field
    assert field in reject.reason
    assert reject.payload == payload
    return reject.reason
