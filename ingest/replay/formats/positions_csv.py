"""positions-csv: vehicle positions as CapMetrics kept them (github scascketta/CapMetrics), one row a GPS fix.

Columns: vehicle_id, timestamp (ISO 8601 with offset), speed, route_id, trip_id, latitude, longitude, trip_headsign.

The unit of `speed` is said nowhere. In the Austin day of 2015-03-07 consecutive fixes 20…180 s apart with steady speed
(both above 10, within 3 of each other: 5,012 pairs) have a median of 2.23 between the mean of the two speeds and
distance over time in m/s; the day's sum of speed x time is 2.28 times the straight-line distance (roads bend). A mile
an hour is 1/2.237 m/s: the speed is in miles per hour. tests/replay/test_replay_positions_csv.py repeats the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ingest.parcel import Refusal
from ingest.replay.delimited import delimited_tables
from ingest.replay.files import opened
from ingest.replay.items import Items
from ingest.replay.options import ReplayOptions
from ingest.replay.rows import Field, number, shape, text

NAME = "positions-csv"
FEED = "vehicle_position"
TITLE = "Vehicle positions, CapMetrics layout / Положения транспорта, CSV"

MPH_IN_M_S = 0.44704
"""Exact: 1,609.344 m in 3,600 s."""

REQUIRED = ("vehicle_id", "timestamp", "latitude", "longitude")
OPTIONAL = ("speed", "route_id", "trip_id", "trip_headsign")


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    source = f"replay:{NAME}:{path.name}"
    with opened(path) as stream:
        for table in delimited_tables(stream, FEED, source, ",", REQUIRED):
            if isinstance(table, Refusal):
                yield table
            else:
                yield from shape(FEED, source, table, _fields(table.columns), event_at="timestamp")


def _fields(columns: list[str]) -> list[Field]:
    fields = [
        text("vehicle_id", "vehicle_id", required=True),
        Field("timestamp", "timestamp", _moment(), "is no time with an offset (ISO 8601)", required=True),
        number("latitude", "latitude", required=True),
        number("longitude", "longitude", required=True),
    ]
    if "speed" in columns:
        fields.append(number("speed_m_s", "speed", factor=MPH_IN_M_S))
    return fields + [text(name, name) for name in OPTIONAL[1:] if name in columns]


def _moment() -> pl.Expr:
    """Aware Datetime of ISO 8601 text with an offset; null for a naive one: a time without a zone is a guess."""
    told = pl.col("timestamp")
    moment = told.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    return pl.when(told.str.contains(r"(Z|[+-]\d\d:?\d\d)$")).then(moment)
