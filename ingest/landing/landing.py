"""The landing of one process: one open log a feed, appended and fsynced together, rotated and sealed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from ingest.landing.log import LogWriter
from ingest.landing.segments import Sealed, new_segment_name, orphaned_logs, seal


class Landing:
    """Thread-safe: one thread appends, another may rotate and seal."""

    def __init__(self, landing_dir: Path) -> None:
        self.dir = landing_dir
        self._open: dict[str, tuple[LogWriter, float]] = {}
        self._lock = threading.Lock()
        self._seal_lock = threading.Lock()

    def append(self, batches: Mapping[str, pa.RecordBatch]) -> int:
        """Appends a batch for each feed and makes all durable; gives the bytes written.

        All or nothing as far as this process can see: when one feed's append fails (OSError, as on a full
        disk) what was appended to the others is cut off again, and the caller must not acknowledge.
        """
        with self._lock:
            marks: list[tuple[LogWriter, int, int]] = []
            try:
                for feed, batch in batches.items():
                    writer = self._writer(feed, batch.schema)
                    marks.append((writer, writer.size_bytes, writer.rows))
                    writer.append(batch)
                for writer, _, _ in marks:
                    writer.sync()
            except OSError:
                for writer, end, rows in marks:
                    writer.cut_to(end, rows)
                self._abandon(marks)
                raise
            return sum(writer.size_bytes - end for writer, end, _ in marks)

    def _abandon(self, marks: list[tuple[LogWriter, int, int]]) -> None:
        """After a failed write or fsync the kernel's view of a file is not to be trusted: go on in new files.

        The abandoned logs keep their whole frames and are sealed by `recover`.
        """
        suspects = {id(writer) for writer, _, _ in marks}
        for feed, (writer, _) in list(self._open.items()):
            if id(writer) in suspects:
                del self._open[feed]
                writer.close()

    def _writer(self, feed: str, schema: pa.Schema) -> LogWriter:
        if feed not in self._open:
            log = self.dir / feed / "open" / f"{new_segment_name(feed)}.log"
            self._open[feed] = (LogWriter(log, schema), time.monotonic())
        return self._open[feed][0]

    def seal(self, older_than_s: float = 0, larger_than_bytes: int = 0) -> list[Sealed]:
        """Seals the logs that are old or large enough (all of them by default)."""
        with self._lock:
            now = time.monotonic()
            due = [
                feed
                for feed, (writer, opened) in self._open.items()
                if now - opened >= older_than_s or 0 < larger_than_bytes <= writer.size_bytes
            ]
            closed = [(feed, self._open.pop(feed)[0]) for feed in due]
        with self._seal_lock:
            return [done for feed, writer in closed if (done := self._seal_one(feed, writer)) is not None]

    def _seal_one(self, feed: str, writer: LogWriter) -> Sealed | None:
        """The writer's lock is held until its log is gone, so that nobody recovers it meanwhile."""
        try:
            return seal(self.dir, feed, writer.path)
        finally:
            writer.close()

    def recover(self) -> list[Sealed]:
        """Seals what dead writers, or a seal that failed, left behind; torn tails are cut off."""
        with self._seal_lock:
            found = orphaned_logs(self.dir)
            return [done for feed, log in found if (done := seal(self.dir, feed, log)) is not None]

    def close(self) -> list[Sealed]:
        """Seals everything."""
        return self.seal()
