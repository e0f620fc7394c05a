"""Photos that cameras put into `<home>/frames/<camera>/` (by FTP, rsync, a recorder): which ones are new.

What was looked at is remembered in `<home>/vision/seen.sqlite`, so that nothing is moved or renamed under a recorder's
hands. Losing that file costs time only: the same photo gives the same events again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from vision_jobs.photos import find_photos

SETTLED_S = 2.0
"""A file changed more recently may still be written."""

TABLE = """
create table if not exists seen (
  camera text not null, name text not null, size integer not null, changed_ns integer not null, seen_at real not null,
  primary key (camera, name, size, changed_ns)
) without rowid
"""


class Inbox:
    """New photos by camera. A photo that was written anew (other size or time) is new again."""

    def __init__(self, home: Path) -> None:
        self._frames = home / "frames"
        self._ledger = home / "vision" / "seen.sqlite"

    @property
    def folder(self) -> Path:
        return self._frames

    def new_photos(self, now: float | None = None) -> dict[str, list[Path]]:
        """Camera → its new photos in the order of their names; cameras without any are left out."""
        newest_ns = int(((time.time() if now is None else now) - SETTLED_S) * 1e9)
        if not self._frames.is_dir():
            return {}
        with self._open() as ledger:
            return {
                folder.name: found
                for folder in sorted(self._frames.iterdir())
                if folder.is_dir() and (found := _new(ledger, folder, newest_ns))
            }

    def mark_seen(self, photos: Iterable[Path]) -> None:
        """Call it when the events of these photos are safe."""
        rows = [(path.parent.name, *_identity(path), time.time()) for path in photos if path.exists()]
        with self._open() as ledger:
            ledger.executemany("insert or replace into seen values (?, ?, ?, ?, ?)", rows)

    def forget_gone(self) -> None:
        """Rows of photos that are no longer there go too, so the ledger does not grow for ever."""
        with self._open() as ledger:
            known = ledger.execute("select distinct camera, name from seen").fetchall()
            gone = [(camera, name) for camera, name in known if not (self._frames / camera / name).exists()]
            ledger.executemany("delete from seen where camera = ? and name = ?", gone)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._ledger.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._ledger, timeout=30)) as ledger, ledger:
            ledger.execute(TABLE)
            yield ledger


def _new(ledger: sqlite3.Connection, folder: Path, newest_ns: int) -> list[Path]:
    rows = ledger.execute("select name, size, changed_ns from seen where camera = ?", (folder.name,))
    seen = {tuple(row) for row in rows}
    found = []
    for path in find_photos(folder):
        identity = _identity(path)
        if identity[2] <= newest_ns and identity not in seen:
            found.append(path)
    return found


def _identity(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return path.name, stat.st_size, stat.st_mtime_ns
