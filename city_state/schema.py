"""Tables of the city state. SQLite and not the lake: it must work at the edge with everything else down."""

from __future__ import annotations

import sqlite3
from pathlib import Path

DDL = """
CREATE TABLE IF NOT EXISTS entity (
    feed TEXT NOT NULL,
    entity TEXT NOT NULL,
    event_us INTEGER NOT NULL,      -- trusted event time, microseconds since 1970 UTC
    sequence INTEGER NOT NULL,      -- device's counter, -1 where it has none
    received_us INTEGER NOT NULL,
    clock_status TEXT NOT NULL,
    latitude REAL,
    longitude REAL,
    payload TEXT NOT NULL,          -- the message as JSON
    PRIMARY KEY (feed, entity)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feed (
    feed TEXT PRIMARY KEY,
    last_received_us INTEGER NOT NULL,
    last_event_us INTEGER NOT NULL,
    messages INTEGER NOT NULL
) WITHOUT ROWID;
"""

UPSERT_ENTITY = """
INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (feed, entity) DO UPDATE SET
    event_us = excluded.event_us, sequence = excluded.sequence, received_us = excluded.received_us,
    clock_status = excluded.clock_status, latitude = excluded.latitude, longitude = excluded.longitude,
    payload = excluded.payload
WHERE (excluded.event_us, excluded.sequence) > (entity.event_us, entity.sequence)
"""

UPSERT_FEED = """
INSERT INTO feed VALUES (?, ?, ?, ?)
ON CONFLICT (feed) DO UPDATE SET
    last_received_us = max(excluded.last_received_us, feed.last_received_us),
    last_event_us = max(excluded.last_event_us, feed.last_event_us),
    messages = feed.messages + excluded.messages
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    # a crash may lose the last commits; the landing log has them, and the next message brings the value anyway
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(DDL)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Raises FileNotFoundError while no gateway has written yet."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no city state yet; start the gateway: gorodok gateway")
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False)
