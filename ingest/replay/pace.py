"""A file's messages in the order and at the pace of their event times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import polars as pl

from ingest.adapters.parcels import cut
from ingest.parcel import Parcel, Refusal
from ingest.replay.items import Items

TICK_S = 0.1
"""Messages that are due within one tick of wall time leave together."""


def paced(
    stream: Iterable[Items | Refusal],
    speed: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Parcel | Refusal]:
    """Refusals first; then all messages sorted by event time, `speed` seconds of theirs in one second of ours.

    Holds the whole file in memory (JSON texts). A message without an event time goes with the first.
    """
    if speed <= 0:
        raise ValueError(f"speed: {speed} must be above 0: 1 is as fast as life, 60 a minute in a second")
    tables: list[pl.DataFrame] = []
    for thing in stream:
        if isinstance(thing, Refusal):
            yield thing
        else:
            tables.append(thing.frame.with_columns(feed=pl.lit(thing.feed), source=pl.lit(thing.source)))
    if tables:
        yield from _play(pl.concat(tables), speed, clock, sleep)


def _play(
    messages: pl.DataFrame, speed: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Parcel]:
    since_first_s = (pl.col("event_at") - pl.col("event_at").min()).dt.total_microseconds() / 1e6
    ticks = messages.sort("event_at", nulls_last=False, maintain_order=True).with_columns(
        tick=(since_first_s / speed / TICK_S).fill_null(0.0).floor().cast(pl.Int64)
    )
    started = clock()
    for (tick, feed, source), part in ticks.group_by("tick", "feed", "source", maintain_order=True):
        wait_s = float(str(tick)) * TICK_S - (clock() - started)
        if wait_s > 0:
            sleep(wait_s)
        yield from cut(str(feed), str(source), part["item"].to_list())
