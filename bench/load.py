"""Load: landing segments into the lake with deduplication, first and then the same rows delivered again.

Ten segments of vehicle positions at a time go into one transaction each as `gorodok build` does it; the second load
brings the same messages in new segments, so that every row must be found in the lake and left out. A row counts when
it was read and judged, kept or not. Memory is that of the loading process.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from bench.lib import steps
from bench.lib.table import BenchTable, Goal, Options, workplace
from bench.lib.town import write_segment
from city.settings import Settings

ROWS = 4_800_000
SEGMENT_ROWS = 48_000
BUSES = 2_000
GIB = 2**30


def run(options: Options) -> BenchTable:
    table = BenchTable(
        "Segments to lake (vehicle_position)",
        [
            "load",
            "rows",
            "segments",
            "kept",
            "duplicates",
            "in transactions s",
            "whole process s",
            "rows/s",
            "peak GiB",
        ],
    )
    rows = options.sized(ROWS, SEGMENT_ROWS)
    with workplace(options, "load") as folder:
        settings = Settings(home=folder / "load-home")
        rates = [_load(table, settings, "first", rows), _load(table, settings, "the same again", rows)]
    table.goals = [
        Goal("first load, rows/s in transactions", rates[0], 500_000, "higher"),
        Goal("the same again, rows/s in transactions", rates[1], 500_000, "higher"),
    ]
    table.notes = ["the whole process adds Python's start, the attach and the first making of all tables"]
    return table


def _load(table: BenchTable, settings: Settings, what: str, rows: int) -> float:
    segments = write_positions(settings, rows)
    done, sums = steps.load(settings)
    rate = (sums["rows"] + sums["duplicates"]) / sums["seconds"]
    table.rows.append(
        [
            what, rows, segments, sums["rows"], sums["duplicates"], sums["seconds"], done.seconds, rate,
            done.peak_rss_bytes / GIB,
        ]
    )  # fmt: skip
    return float(rate)


def write_positions(settings: Settings, rows: int) -> int:
    """Segments of 48,000 positions, four minutes of 2,000 buses each; gives how many."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    segments = -(-rows // SEGMENT_ROWS)
    for number in range(segments):
        count = min(SEGMENT_ROWS, rows - number * SEGMENT_ROWS)
        write_segment(settings, "vehicle_position", _positions(start, number * SEGMENT_ROWS, count))
    return segments


def _positions(start: datetime, first: int, count: int) -> pl.DataFrame:
    number = np.arange(first, first + count)
    moments = np.datetime64(start.replace(tzinfo=None), "us") + (number // BUSES * 10).astype("timedelta64[s]")
    names = pl.Series([f"bus-{bus:04d}" for bus in range(BUSES)])
    return pl.DataFrame(
        {
            "vehicle_id": names.gather(number % BUSES),
            "timestamp": pl.Series(moments).dt.replace_time_zone("UTC"),
            "latitude": 57.6 + number % 9_973 / 1e5,
            "longitude": 39.9 + number % 9_967 / 1e5,
            "bearing_deg": (number % 360).astype(float),
            "speed_m_s": number % 140 / 10,
            "route_id": pl.Series([f"r{route}" for route in range(40)]).gather(number % 40),
        }
    )
