"""Sealed segments: from a closed log to Parquet, their names, the archive and its retention."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from ingest.landing.log import read_log, sync_folder, writer_is_alive


@dataclass(frozen=True)
class Sealed:
    feed: str
    path: Path
    rows: int
    bytes: int
    torn_bytes: int


def new_segment_name(feed: str) -> str:
    """Sorts by time of opening; unique among processes and machines."""
    return f"{feed}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


def seal(landing_dir: Path, feed: str, log: Path) -> Sealed | None:
    """Turns a closed log into a segment of the same name and removes the log; None when it held no row.

    A crash at any point leaves either the log, or the log and an equal segment: sealing again gives the
    same name, and the load knows a name that it has loaded.
    """
    content = read_log(log)
    if content.table is None or content.table.num_rows == 0:
        log.unlink()
        return None
    folder = landing_dir / feed / "sealed"
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"{log.stem}.parquet"
    temporary = folder / f".{log.stem}.tmp"
    try:
        pq.write_table(content.table, temporary, compression="zstd", store_schema=True)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.rename(final)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    log.unlink()
    return Sealed(feed, final, content.table.num_rows, final.stat().st_size, content.torn_bytes)


def orphaned_logs(landing_dir: Path) -> list[tuple[str, Path]]:
    """(feed, log) of writers that are dead; theirs to seal for whoever starts next."""
    return [
        (log.parent.parent.name, log) for log in sorted(landing_dir.glob("*/open/*.log")) if not writer_is_alive(log)
    ]


def sealed_segments(landing_dir: Path, feed: str) -> list[Path]:
    """Segments that wait for the load, oldest first."""
    return sorted((landing_dir / feed / "sealed").glob("*.parquet"))


def archive(landing_dir: Path, feed: str, segment: Path) -> Path:
    """Moves a loaded segment to the archive of its day."""
    folder = landing_dir / "archive" / feed / day_of(segment.stem)
    folder.mkdir(parents=True, exist_ok=True)
    return segment.rename(folder / segment.name)


def find_segment(landing_dir: Path, name: str) -> Path | None:
    """Where a segment's file is now: sealed, archived, or gone by retention (None)."""
    feed = name.split("-", 1)[0]
    places = (
        landing_dir / feed / "sealed" / f"{name}.parquet",
        landing_dir / "archive" / feed / day_of(name) / f"{name}.parquet",
    )
    return next((place for place in places if place.exists()), None)


def day_of(name: str) -> str:
    """YYYY-MM-DD of a segment's opening, from its name."""
    stamp = name.split("-", 2)[1]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"


def drop_old_archive(landing_dir: Path, keep_days: int) -> int:
    """Removes archived days older than the retention; gives how many folders went."""
    oldest = (datetime.now(UTC) - timedelta(days=keep_days)).date().isoformat()
    old = [folder for folder in (landing_dir / "archive").glob("*/*") if folder.is_dir() and folder.name < oldest]
    for folder in old:
        shutil.rmtree(folder)
    return len(old)
