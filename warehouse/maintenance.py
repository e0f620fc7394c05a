"""Keeping the lake small and its history bounded, without taking a file from under a reader."""

from __future__ import annotations

from dataclasses import dataclass

from city.settings import Settings
from warehouse.lake import open_lake
from warehouse.lock import writer_lock


@dataclass(frozen=True)
class MaintenanceReport:
    """Files merged away, snapshots expired, and files deleted from disk."""

    merged_files: int
    expired_snapshots: int
    deleted_files: int
    orphaned_files: int


GRACE = "1 hour"
"""A file is deleted no sooner than this after nothing points to it: no query of ours runs that long."""


def maintain(settings: Settings, snapshot_days: int | None = None, grace: str = GRACE) -> MaintenanceReport:
    """Merges small files, expires snapshots older than the city's retention, deletes what nothing uses."""
    days = settings.snapshot_days if snapshot_days is None else snapshot_days
    with writer_lock(settings, "maintenance"), open_lake(settings) as connection:
        merged = connection.execute("CALL ducklake_merge_adjacent_files('lake')").fetchall()
        expired = connection.execute(
            f"CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL '{int(days)} days')"
        ).fetchall()
        deleted = connection.execute(
            f"CALL ducklake_cleanup_old_files('lake', older_than => now() - INTERVAL '{grace}')"
        ).fetchall()
        orphans = connection.execute(
            f"CALL ducklake_delete_orphaned_files('lake', older_than => now() - INTERVAL '{grace}')"
        ).fetchall()
    return MaintenanceReport(len(merged), len(expired), len(deleted), len(orphans))
