"""A contract's Arrow schema, and models of it as a record batch.

Column types: str → string, int → int64, float → float64, bool → bool, datetime → timestamp[us, UTC],
bytes → binary, anything nested → string (JSON text). After the contract's own fields comes the envelope.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AwareDatetime
from pydantic_core import to_json

from ingest.contracts import CONTRACTS, Contract

TIME = pa.timestamp("us", "UTC")

ENVELOPE = pa.schema(
    [
        pa.field(
            "event_at", TIME, metadata={"description": "Trusted event time: received_at where the clock is ahead"}
        ),
        pa.field("received_at", TIME, metadata={"description": "When the platform received it"}),
        pa.field("clock_status", pa.string(), metadata={"description": "ok, ahead or behind (of received_at)"}),
        pa.field("source", pa.string(), metadata={"description": "MQTT topic, or adapter and address"}),
    ]
)

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: TIME,
    AwareDatetime: TIME,  # a class of its own at run time, not Annotated[datetime]
}


def _plain_type(annotation: Any) -> Any:
    """The Python type under Annotated, Optional and Literal."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _plain_type(typing.get_args(annotation)[0])
    if origin is typing.Literal:
        return type(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        kinds = {_plain_type(arg) for arg in typing.get_args(annotation) if arg is not type(None)}
        return kinds.pop() if len(kinds) == 1 else object
    return annotation


@functools.cache
def _columns(feed: str) -> tuple[tuple[str, pa.DataType, bool], ...]:
    """(name, type, is JSON text) of the contract's own fields."""
    found = []
    for name, field in CONTRACTS[feed].model_fields.items():
        plain = _plain_type(field.annotation)
        arrow = _SCALARS.get(plain) if isinstance(plain, type) else None
        found.append((name, arrow or pa.string(), arrow is None))
    return tuple(found)


@functools.cache
def landing_schema(feed: str) -> pa.Schema:
    """Schema of a landed segment: the contract's fields in order, then the envelope."""
    own = pa.schema([pa.field(name, kind) for name, kind, _ in _columns(feed)])
    return pa.schema(list(own) + list(ENVELOPE))


def to_batch(
    feed: str, models: Sequence[Contract], received_at: Sequence[datetime], sources: Sequence[str]
) -> pa.RecordBatch:
    """Models of one feed as one record batch in the landing schema; the three sequences are of equal length."""
    contract = CONTRACTS[feed]
    values = [model.__dict__ for model in models]
    arrays = []
    for name, kind, is_json in _columns(feed):
        column = [row[name] for row in values]
        if is_json:
            column = [None if cell is None else to_json(cell, exclude_none=True).decode() for cell in column]
        arrays.append(pa.array(column, kind))
    schema = landing_schema(feed)
    event = arrays[schema.get_field_index(contract.spec.event_time)]
    return pa.RecordBatch.from_arrays([*arrays, *_envelope(contract, event, received_at, sources)], schema=schema)


def _envelope(
    contract: type[Contract], event: pa.Array, received_at: Sequence[datetime], sources: Sequence[str]
) -> list[pa.Array]:
    spec = contract.spec
    received = pa.array(received_at, TIME)
    lead_us = pc.subtract(event.cast(pa.int64()), received.cast(pa.int64()))
    ahead = pc.greater(lead_us, spec.ahead_s * 1_000_000)
    behind = pc.less(lead_us, -spec.behind_s * 1_000_000)
    status = pc.if_else(ahead, "ahead", pc.if_else(behind, "behind", "ok"))
    return [pc.if_else(ahead, received, event), received, status, pa.array(sources, pa.string())]
