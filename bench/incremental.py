"""`dbt build` after a small change of data: incremental against full refresh, on the year of `bench year`.

The change is one more day of all meters, and then readings that come a month late. dbt alone, under the writers' lock,
started as Dagster starts it; the tests of the models are part of each build.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from bench.lib import steps
from bench.lib.table import BenchTable, Goal, Options, workplace
from bench.lib.town import SEED, Town, meter_day, write_segment, yesterday
from bench.lib.year import prepare
from city.settings import Settings

DAYS = 90
"""Of data beneath the change, unless --days says otherwise."""
LATE_DAYS, LATE_METERS = 30, 100


def run(options: Options) -> BenchTable:
    table = BenchTable("dbt build after a change", ["build", "new rows", "seconds", "of full refresh", "peak GiB"])
    sized = Options(options.scale, options.days or DAYS, options.home)
    with workplace(options, "incremental") as folder:
        settings, year = prepare(folder, sized)
        full = steps.dbt_build(settings, full_refresh=True)
        measured = [("full refresh", 0, full), ("no change", 0, steps.dbt_build(settings))]
        town = Town(year.meters, year.days, yesterday())
        for name, frame in (("one more day", _next_day(town)), ("a month late", _late(town))):
            write_segment(settings, "meter_reading", frame)
            steps.load(settings)
            measured.append((name, frame.height, steps.dbt_build(settings)))
        _forget(settings)
    table.rows = [
        [name, rows, done.seconds, done.seconds / full.seconds, done.peak_rss_bytes / 2**30]
        for name, rows, done in measured
    ]
    table.goals = [Goal("one more day, incremental / full refresh", table.rows[2][3], 1.0, "lower")]
    table.notes = [f"{year.rows:,} rows beneath; dbt's start, parsing and tests are in every figure"]
    return table


def _next_day(town: Town) -> pl.DataFrame:
    frame, _, _ = meter_day(town, town.day(town.days), np.full(town.meters, 5_000.0), np.random.default_rng(SEED + 1))
    return frame


def _late(town: Town) -> pl.DataFrame:
    """Readings between the hourly ones, of a few meters, of a day long built."""
    day = town.day(max(0, town.days - LATE_DAYS))
    frame, _, _ = meter_day(town, day, np.full(town.meters, 1.0), np.random.default_rng(SEED + 2))
    late = frame.filter(pl.col("meter_id").is_in(frame["meter_id"].unique().sort().head(LATE_METERS).to_list()))
    return late.with_columns(pl.col("event_time") + timedelta(minutes=20))


def _forget(settings: Settings) -> None:
    """The lake holds more than its marker says now; the next benchmark makes its own."""
    for marker in settings.home.glob("bench-*.json"):
        marker.unlink()
