"""Messages on their way out of a file: a table of JSON texts with their event times, cut into parcels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from ingest.contracts import CONTRACTS
from ingest.parcel import Parcel, Refusal

PARCEL_ITEMS = 500
"""Messages in one parcel. 500 of the largest real ones (positions, 280 bytes) are 140 KB: far below a broker's limit."""

PARCEL_BYTES = 512 * 1024
"""Half of the gateway's default limit on a payload (GORODOK_MAX_PAYLOAD_KB): large messages make smaller parcels."""


@dataclass(frozen=True, slots=True)
class Items:
    """Messages of one feed from one source.

    frame: one row per message; `event_at` (Datetime, UTC; null where unknown), `item` (String: a JSON object).
    """

    feed: str
    source: str
    frame: pl.DataFrame


def items_of(feed: str, source: str, rows: pl.DataFrame, event_at: str) -> Items:
    """Items of a table whose columns are the contract's fields; times become RFC 3339 in UTC.

    event_at: the column with the event time, a Datetime with a time zone.
    """
    known = [name for name in CONTRACTS[feed].model_fields if name in rows.columns]
    frame = rows.select(
        event_at=pl.col(event_at).dt.convert_time_zone("UTC").dt.cast_time_unit("us"),
        item=pl.struct(_json_ready(name, rows.schema[name]) for name in known).struct.json_encode(),
    )
    return Items(feed, source, frame)


def _json_ready(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return rfc3339(pl.col(name)).alias(name)
    return pl.col(name)


def rfc3339(moment: pl.Expr) -> pl.Expr:
    """Text of an aware Datetime, in UTC: 2015-03-07T16:03:34Z, with a fraction only where there is one."""
    return moment.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")


def parcels(stream: Iterable[Items | Refusal]) -> Iterator[Parcel | Refusal]:
    """As fast as they come, in the file's order."""
    for thing in stream:
        if isinstance(thing, Refusal):
            yield thing
        else:
            yield from cut(thing.feed, thing.source, thing.frame["item"])


def cut(feed: str, source: str, items: pl.Series) -> Iterator[Parcel]:
    """JSON arrays of at most PARCEL_ITEMS messages and, where one message allows it, PARCEL_BYTES bytes."""
    for part in items.to_frame("item").iter_slices(PARCEL_ITEMS):
        texts = part["item"].to_list()
        if part["item"].str.len_bytes().sum() <= PARCEL_BYTES:
            yield _parcel(feed, source, texts)
            continue
        yield from _cut_by_bytes(feed, source, texts)


def _cut_by_bytes(feed: str, source: str, texts: list[str]) -> Iterator[Parcel]:
    held: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode())
        if held and size + length > PARCEL_BYTES:
            yield _parcel(feed, source, held)
            held, size = [], 0
        held.append(text)
        size += length
    if held:
        yield _parcel(feed, source, held)


def _parcel(feed: str, source: str, texts: list[str]) -> Parcel:
    return Parcel(feed, source, f"[{','.join(texts)}]".encode())
