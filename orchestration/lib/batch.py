"""The rows that a load has just brought, their check, and the small pictures beside them in Dagster's UI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.quality.check import SuiteResult, check_batch
from warehouse.load import LoadReport
from warehouse.read import query

MOST_ROWS = 100_000
"""Great Expectations looks at this many rows of a batch, drawn with a fixed seed; dbt's tests look at all."""

PICTURE_POINTS = 1_500


@dataclass(frozen=True, slots=True)
class Loaded:
    """One feed's part of a load: sums over its transactions."""

    feed: str
    segments: tuple[str, ...]
    rows: int
    duplicates: int
    conflicts: int
    bytes: int
    seconds: float
    broken: tuple[str, ...] = ()


def check_loaded(settings: Settings, loaded: Loaded) -> SuiteResult:
    """Runs the feed's suite over the newly loaded rows (one row a message, columns of `raw.<feed>`)."""
    frame = query(
        settings,
        f"""
        SELECT * FROM (
            SELECT * FROM raw."{loaded.feed}" WHERE segment BETWEEN ? AND ? AND segment IN (SELECT unnest(?))
        ) USING SAMPLE reservoir({MOST_ROWS} ROWS) REPEATABLE (1)
        """,  # noqa: S608 - names come from the contracts, values are parameters
        [min(loaded.segments), max(loaded.segments), list(loaded.segments)],
    )
    return check_batch(loaded.feed, frame.to_pandas())


def hourly_rows(settings: Settings, feed: str) -> list[tuple[datetime, int]]:
    """Rows of the last 24 hours that have any, by hour of the event: (hour UTC, rows), oldest first."""
    return query(
        settings,
        f"""
        SELECT date_trunc('hour', event_at) AS hour, count(*) AS rows FROM raw."{feed}"
        WHERE event_at > (SELECT max(max_event_at) FROM ops.segment WHERE feed = ?) - INTERVAL 24 HOURS
        GROUP BY hour ORDER BY hour
        """,  # noqa: S608 - names come from the contracts, values are parameters
        [feed],
    ).rows()


def places(settings: Settings, loaded: Loaded) -> list[tuple[float, float]]:
    """(longitude, latitude) of a sample of the newly loaded rows; empty for a feed without places."""
    columns = place_columns(loaded.feed)
    if columns is None:
        return []
    longitude, latitude = columns
    frame: pl.DataFrame = query(
        settings,
        f"""
        SELECT longitude, latitude FROM (
            SELECT "{longitude}" AS longitude, "{latitude}" AS latitude FROM raw."{loaded.feed}"
            WHERE segment BETWEEN ? AND ? AND "{longitude}" IS NOT NULL AND "{latitude}" IS NOT NULL
        ) USING SAMPLE reservoir({PICTURE_POINTS} ROWS) REPEATABLE (1)
        """,  # noqa: S608 - names come from the contracts, values are parameters
        [min(loaded.segments), max(loaded.segments)],
    )
    return frame.rows()


def place_columns(feed: str) -> tuple[str, str] | None:
    """Names of the feed's longitude and latitude columns, if it has them."""
    fields = CONTRACTS[feed].model_fields
    for pair in (("longitude", "latitude"), ("long", "lat")):
        if all(name in fields for name in pair):
            return pair
    return None


def by_feed(reports: Sequence[LoadReport]) -> list[Loaded]:
    """The load's reports, one a transaction, summed to one a feed."""
    feeds = dict.fromkeys(report.feed for report in reports)
    return [_sum(feed, [report for report in reports if report.feed == feed]) for feed in feeds]


def _sum(feed: str, reports: Sequence[LoadReport]) -> Loaded:
    good = [report for report in reports if report.reason is None]
    return Loaded(
        feed=feed,
        segments=tuple(name for report in good for name in report.segments),
        rows=sum(report.rows for report in good),
        duplicates=sum(report.duplicates for report in good),
        conflicts=sum(report.conflicts for report in good),
        bytes=sum(report.bytes for report in good),
        seconds=sum(report.seconds for report in good),
        broken=tuple(f"{report.segments[0]}: {report.reason}" for report in reports if report.reason is not None),
    )
