"""Landed segments into raw tables: rows and the segments' names in one transaction, each key once.

Of two messages with one key the first that was loaded stays. A later one that says the same is a duplicate
(at-least-once delivery); one that says something else goes to ops.conflict, so that nothing is lost in silence.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.derive.arrow import ENVELOPE
from ingest.landing.segments import archive, drop_old_archive, sealed_segments
from warehouse.catalog import grant_reader
from warehouse.lake import open_lake
from warehouse.lock import writer_lock
from warehouse.register import keep_register
from warehouse.tables import LINEAGE, ensure_tables, raw_columns

log = logging.getLogger(__name__)

BATCH_BYTES = 256 * 2**20
"""Parquet bytes of one transaction: a year of meters loads in 4 GB of memory."""
BATCH_SEGMENTS = 500


@dataclass(frozen=True)
class LoadReport:
    """What one transaction did. `segments` holds the names; a failed load has rows 0 and a reason."""

    feed: str
    segments: tuple[str, ...]
    rows: int
    duplicates: int
    conflicts: int
    bytes: int
    seconds: float
    reason: str | None = None


def load_segments(settings: Settings, feeds: Sequence[str] | None = None) -> list[LoadReport]:
    """Loads every sealed segment of the feeds (all by default) and archives it.

    Takes the writers' lock. A segment that cannot be read is moved to `landing/<feed>/broken` with an outcome
    row, and the others go on. Unknown feeds raise KeyError.
    """
    chosen = list(CONTRACTS) if feeds is None else [CONTRACTS[feed].spec.code for feed in feeds]
    with writer_lock(settings, "load"), open_lake(settings) as connection:
        if ensure_tables(connection) or not (settings.home / "reader.secret").exists():
            grant_reader(settings)
        keep_register(connection, settings)
        reports = [report for feed in chosen for report in _load_feed(connection, settings, feed)]
        _tell(connection, reports)
    drop_old_archive(settings.landing_dir, settings.archive_days)
    return reports


def _load_feed(connection: duckdb.DuckDBPyConnection, settings: Settings, feed: str) -> Iterator[LoadReport]:
    waiting = _drop_loaded(connection, settings, feed, sealed_segments(settings.landing_dir, feed))
    for batch in _batches(waiting):
        try:
            yield _load_batch(connection, settings, feed, batch)
        except _UnreadableError as error:
            if len(batch) == 1:
                yield _set_aside(settings, feed, batch[0], error)
            else:  # one of them is broken: load them by themselves, so that it is found
                yield from _one_by_one(connection, settings, feed, batch)


class _UnreadableError(Exception):
    """A segment's own fault. A fault of the lake is duckdb.Error and stops the load: nothing is set aside for it."""


def _one_by_one(
    connection: duckdb.DuckDBPyConnection, settings: Settings, feed: str, batch: Iterable[Path]
) -> Iterator[LoadReport]:
    for segment in batch:
        try:
            yield _load_batch(connection, settings, feed, [segment])
        except _UnreadableError as error:
            yield _set_aside(settings, feed, segment, error)


def _drop_loaded(
    connection: duckdb.DuckDBPyConnection, settings: Settings, feed: str, segments: list[Path]
) -> list[Path]:
    """Archives segments whose names are in the lake: a crash came between the commit and the archiving."""
    if not segments:
        return []
    names = [segment.stem for segment in segments]
    known = connection.execute(
        "SELECT segment FROM lake.ops.segment WHERE feed = ? AND segment IN (SELECT unnest(?))", [feed, names]
    ).fetchall()
    loaded = {name for (name,) in known}
    for segment in segments:
        if segment.stem in loaded:
            archive(settings.landing_dir, feed, segment)
    return [segment for segment in segments if segment.stem not in loaded]


def _batches(segments: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for segment in segments:
        batch.append(segment)
        size += segment.stat().st_size
        if size >= BATCH_BYTES or len(batch) >= BATCH_SEGMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _load_batch(
    connection: duckdb.DuckDBPyConnection, settings: Settings, feed: str, batch: Sequence[Path]
) -> LoadReport:
    clock = time.monotonic()
    files = [str(path) for path in batch]
    size = sum(path.stat().st_size for path in batch)
    try:
        _read_incoming(connection, feed, files)
        duplicates = _mark_duplicates(connection, feed)
        rows, conflicts = _commit(connection, feed, batch, duplicates)
    finally:
        connection.execute("DROP TABLE IF EXISTS memory.incoming")
    for segment in batch:
        archive(settings.landing_dir, feed, segment)
    names = tuple(segment.stem for segment in batch)
    return LoadReport(feed, names, rows, duplicates, conflicts, size, time.monotonic() - clock)


def _commit(
    connection: duckdb.DuckDBPyConnection, feed: str, batch: Sequence[Path], duplicates: int
) -> tuple[int, int]:
    """Rows, conflicts and the segments' names, all or nothing; gives (rows, conflicts)."""
    columns = ", ".join(f'"{name}"' for name in raw_columns(feed))
    connection.execute("BEGIN")
    try:
        conflicts = _keep_conflicts(connection, feed) if duplicates else 0
        rows = connection.execute(
            f'INSERT INTO lake.raw."{feed}" ({columns}) SELECT {columns} FROM memory.incoming WHERE NOT is_duplicate'
        ).fetchall()[0][0]
        _name_segments(connection, feed, batch)
        connection.execute("COMMIT")
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
    return rows, conflicts


def _read_incoming(connection: duckdb.DuckDBPyConnection, feed: str, files: list[str]) -> None:
    """The segments as a temporary table in the raw table's columns; fields that a segment is too old for are null."""
    typed = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in raw_columns(feed).items())
    statement = f"""
        CREATE TABLE memory.incoming AS
        SELECT *, FALSE AS is_duplicate FROM (
            SELECT {typed} WHERE FALSE
            UNION ALL BY NAME
            SELECT * EXCLUDE (filename, file_row_number),
                parse_filename(filename, true) AS segment, file_row_number AS segment_row
            FROM read_parquet(?, filename = true, file_row_number = true, union_by_name = true)
        )
        """
    try:
        connection.execute(statement, [files])
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise _UnreadableError(str(error)) from error


def _mark_duplicates(connection: duckdb.DuckDBPyConnection, feed: str) -> int:
    """Marks rows whose key came before, in the lake or in this batch; gives their number."""
    spec = CONTRACTS[feed].spec
    key = ", ".join(f'"{name}"' for name in spec.key)
    same_key = " AND ".join(f't."{name}" IS NOT DISTINCT FROM incoming."{name}"' for name in spec.key)
    event = f'"{spec.event_time}"'
    total, distinct = connection.execute(f"SELECT count(*), count(DISTINCT ({key})) FROM memory.incoming").fetchall()[0]
    if distinct < total:
        connection.execute(
            f"""
            UPDATE memory.incoming SET is_duplicate = TRUE FROM (
                SELECT rowid AS number FROM memory.incoming
                QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY received_at, segment, segment_row) > 1
            ) AS later WHERE incoming.rowid = later.number
            """
        )
    # the lake's files are pruned by their statistics of the event time: only the days that came are read
    low, high = connection.execute(f"SELECT min({event}), max({event}) FROM memory.incoming").fetchall()[0]
    connection.execute(
        f"""
        UPDATE memory.incoming SET is_duplicate = TRUE FROM (
            SELECT incoming.rowid AS number FROM memory.incoming SEMI JOIN (
                SELECT {key} FROM lake.raw."{feed}" WHERE {event} BETWEEN ? AND ?
            ) AS t ON {same_key}
        ) AS known WHERE incoming.rowid = known.number
        """,
        [low, high],
    )
    return int(connection.execute("SELECT count(*) FROM memory.incoming WHERE is_duplicate").fetchall()[0][0])


def _keep_conflicts(connection: duckdb.DuckDBPyConnection, feed: str) -> int:
    """Duplicates that say something else than what is kept, to ops.conflict; gives their number."""
    spec = CONTRACTS[feed].spec
    own = [name for name in raw_columns(feed) if name not in ENVELOPE.names and name not in LINEAGE]
    content = "struct_pack(" + ", ".join(f'"{name}" := {{0}}."{name}"' for name in own) + ")"
    same_key = " AND ".join(f'd."{name}" IS NOT DISTINCT FROM k."{name}"' for name in spec.key)
    key_json = "to_json(struct_pack(" + ", ".join(f'"{name}" := d."{name}"' for name in spec.key) + "))"
    listed = ", ".join(f'"{name}"' for name in own)
    event = f'"{spec.event_time}"'
    done = connection.execute(
        f"""
        INSERT INTO lake.ops.conflict
        SELECT ?, {key_json}, d.segment, d.segment_row, to_json({content.format("d")}), now()
        FROM memory.incoming AS d
        JOIN (
            SELECT {listed} FROM lake.raw."{feed}"
            WHERE {event} BETWEEN (SELECT min({event}) FROM memory.incoming WHERE is_duplicate)
                AND (SELECT max({event}) FROM memory.incoming WHERE is_duplicate)
            UNION ALL
            SELECT {listed} FROM memory.incoming WHERE NOT is_duplicate
        ) AS k ON {same_key}
        WHERE d.is_duplicate AND {content.format("d")} IS DISTINCT FROM {content.format("k")}
        """,
        [feed],
    )
    return int(done.fetchall()[0][0])


def _name_segments(connection: duckdb.DuckDBPyConnection, feed: str, batch: Sequence[Path]) -> None:
    sizes = {segment.stem: segment.stat().st_size for segment in batch}
    connection.execute(
        """
        INSERT INTO lake.ops.segment
        SELECT names.segment, ?, count(i.segment) FILTER (NOT is_duplicate), count(i.segment) FILTER (is_duplicate),
            count(c.segment), any_value(names.bytes), min(event_at), max(event_at),
            -- never backwards, whatever this machine's clock does: dbt takes what was loaded after its last build
            greatest(now(), (SELECT max(loaded_at) + INTERVAL 1 microsecond FROM lake.ops.segment))
        FROM (SELECT unnest(?) AS segment, unnest(?) AS bytes) AS names
        LEFT JOIN memory.incoming AS i USING (segment)
        LEFT JOIN (SELECT DISTINCT segment, segment_row FROM lake.ops.conflict WHERE feed = ?) AS c
            ON c.segment = i.segment AND c.segment_row = i.segment_row
        GROUP BY names.segment
        """,
        [feed, list(sizes), list(sizes.values()), feed],
    )


def _set_aside(settings: Settings, feed: str, segment: Path, error: _UnreadableError) -> LoadReport:
    """Moves a segment that cannot be loaded out of the way, so that the next load does not stop at it again."""
    log.error("segment %s cannot be loaded: %s", segment, error)
    folder = settings.landing_dir / feed / "broken"
    folder.mkdir(parents=True, exist_ok=True)
    size = segment.stat().st_size
    segment.rename(folder / segment.name)
    return LoadReport(feed, (segment.stem,), 0, 0, 0, size, 0.0, reason=str(error))


def _tell(connection: duckdb.DuckDBPyConnection, reports: Sequence[LoadReport]) -> None:
    """Outcome rows, outside the transactions that they speak of."""
    now = datetime.now(UTC)
    process = f"load@{socket.gethostname()}/{os.getpid()}"
    rows = [
        (
            uuid.uuid4().hex, "load", report.feed, now, report.seconds, report.reason is None, report.reason,
            len(report.segments), report.rows, report.duplicates, report.bytes, process, now, now, "ok", process,
            "direct",
        )
        for report in reports
    ]  # fmt: skip
    if rows:
        connection.executemany(
            """
            INSERT INTO lake.raw.ingest_outcome (outcome_id, stage, subject, started_at, seconds, success, reason,
                messages, rows, duplicates, bytes, process, event_at, received_at, clock_status, source, segment)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            rows,
        )
