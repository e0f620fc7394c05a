"""Messages on their way out of a file: a table of JSON texts with their event times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from ingest.adapters.decoding import Decoding
from ingest.adapters.parcels import cut
from ingest.contracts import CONTRACTS
from ingest.parcel import Parcel, Refusal


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


def items_of_decoding(decoding: Decoding) -> Iterator[Items | Refusal]:
    """Items of what an adapter made of a document, then its refusals."""
    for feed, texts in decoding.texts.items():
        time_field = CONTRACTS[feed].spec.event_time
        told = pl.col("item").str.json_path_match(f"$.{time_field}")
        frame = pl.DataFrame({"item": texts}).select(
            event_at=told.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False).dt.replace_time_zone(
                "UTC"
            ),
            item="item",
        )
        yield Items(feed, decoding.source, frame)
    yield from decoding.refusals


def rfc3339(moment: pl.Expr) -> pl.Expr:
    """Text of an aware Datetime, in UTC: 2015-03-07T16:03:34Z, with a fraction only where there is one."""
    return moment.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")


def parcels(stream: Iterable[Items | Refusal]) -> Iterator[Parcel | Refusal]:
    """As fast as they come, in the file's order."""
    for thing in stream:
        if isinstance(thing, Refusal):
            yield thing
        else:
            yield from cut(thing.feed, thing.source, thing.frame["item"].to_list())
