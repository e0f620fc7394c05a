"""What pages and sensors read of the city state, as polars frames with UTC times."""

from __future__ import annotations

import contextlib
from datetime import datetime

import polars as pl

from city.settings import Settings
from city_state.schema import open_for_reading

UTC_TIME = pl.Datetime("us", "UTC")

ENTITY_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "feed": pl.String,
    "entity": pl.String,
    "event_at": UTC_TIME,
    "received_at": UTC_TIME,
    "clock_status": pl.String,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "payload": pl.String,
}
FEED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "feed": pl.String,
    "last_received_at": UTC_TIME,
    "last_event_at": UTC_TIME,
    "messages": pl.Int64,
}

ENTITY_SQL = """
SELECT feed, entity, event_us, received_us, clock_status, latitude, longitude, payload FROM entity
WHERE (:feed IS NULL OR feed = :feed) AND received_us >= :since
ORDER BY feed, entity
"""


def latest(settings: Settings, feed: str | None = None, since: datetime | None = None) -> pl.DataFrame:
    """Newest message of every entity, of one feed or all, received at or after `since`.

    Empty while no gateway has written: a page shows its empty state and not a fault.
    """
    since_us = 0 if since is None else int(since.timestamp() * 1e6)
    return _rows(settings, ENTITY_SQL, {"feed": feed, "since": since_us}, ENTITY_SCHEMA)


def feeds(settings: Settings) -> pl.DataFrame:
    """When each feed was last heard; feeds that never spoke are absent."""
    return _rows(settings, "SELECT * FROM feed ORDER BY feed", {}, FEED_SCHEMA)


def _rows(
    settings: Settings, sql: str, parameters: dict[str, object], schema: dict[str, pl.DataType | type[pl.DataType]]
) -> pl.DataFrame:
    try:
        connection = open_for_reading(settings.state_path)
    except FileNotFoundError:
        return pl.DataFrame(schema=schema)
    with contextlib.closing(connection):
        rows = connection.execute(sql, parameters).fetchall()
    return pl.DataFrame(rows, schema=_stored(schema), orient="row").cast(dict(schema))  # type: ignore[arg-type]


def _stored(schema: dict[str, pl.DataType | type[pl.DataType]]) -> dict[str, pl.DataType | type[pl.DataType]]:
    return {name: pl.Int64 if kind == UTC_TIME else kind for name, kind in schema.items()}
