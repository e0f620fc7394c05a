"""Pictures are personal data: evidence and inbox photos go after the city's `frames_days`."""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from vision_jobs.photos import find_photos


def remove_old_pictures(home: Path, frames_days: int, today: date) -> int:
    """Deletes evidence of UTC days, and inbox photos changed, more than `frames_days` days before `today`; how many."""
    last_kept = today - timedelta(days=frames_days)
    return _remove_evidence(home / "evidence", last_kept) + _remove_photos(home / "frames", last_kept)


def _remove_evidence(folder: Path, last_kept: date) -> int:
    removed = 0
    for day in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(ValueError):  # not a folder of ours
            if date.fromisoformat(day.name) < last_kept:
                removed += sum(1 for _ in day.iterdir())
                shutil.rmtree(day)
    return removed


def _remove_photos(folder: Path, last_kept: date) -> int:
    cameras = [camera for camera in folder.iterdir() if camera.is_dir()] if folder.is_dir() else []
    old = [photo for camera in cameras for photo in find_photos(camera) if _changed_on(photo) < last_kept]
    for photo in old:
        photo.unlink(missing_ok=True)
    return len(old)


def _changed_on(photo: Path) -> date:
    return datetime.fromtimestamp(photo.stat().st_mtime, UTC).date()
