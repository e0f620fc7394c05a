"""An append-only log of Arrow record batches that survives a kill and a full disk.

A frame is: magic "GLG1", length (u32), CRC-32 of the body (u32), body. The first frame's body is the
schema (Arrow IPC), each later one is a record batch (Arrow IPC message). A writer holds an exclusive
flock for its life, so that recovery can tell a dead writer's log from a living one's.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

MAGIC = b"GLG1"
HEADER = struct.Struct("<4sII")


class LogWriter:
    """Appends batches of one schema to a new file; `sync` makes what was appended durable."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Raises FileExistsError when the file is there, OSError when the disk is full."""
        self.path = path
        self.schema = schema
        self.rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._end = 0
            self._append(schema.serialize().to_pybytes())
            os.fsync(self._fd)
            sync_folder(path.parent)
        except BaseException:
            os.close(self._fd)
            path.unlink(missing_ok=True)
            raise

    @property
    def size_bytes(self) -> int:
        return self._end

    def append(self, batch: pa.RecordBatch) -> int:
        """Writes one frame and gives its size; on a full disk the file is cut back to the last whole frame."""
        written = self._append(batch.serialize().to_pybytes())
        self.rows += batch.num_rows
        return written

    def _append(self, body: bytes) -> int:
        frame = HEADER.pack(MAGIC, len(body), zlib.crc32(body)) + body
        view, at = memoryview(frame), self._end
        try:
            while view:
                done = os.pwrite(self._fd, view, at)
                view, at = view[done:], at + done
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end = at
        return len(frame)

    def cut_to(self, end: int, rows: int) -> None:
        """Takes back frames that were appended and not yet synced (another feed's append failed)."""
        os.ftruncate(self._fd, end)
        self._end, self.rows = end, rows

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Frees the lock; the file stays for sealing."""
        os.close(self._fd)


@dataclass(frozen=True)
class ReadLog:
    """torn_bytes: length of the tail that a crash left half-written; never acknowledged, so nothing is lost."""

    table: pa.Table | None
    torn_bytes: int


def read_log(path: Path) -> ReadLog:
    """All whole frames of a log. A torn or corrupt tail is left out and counted."""
    data = path.read_bytes()
    at = 0
    schema: pa.Schema | None = None
    batches: list[pa.RecordBatch] = []
    while (body := _frame(data, at)) is not None:
        if schema is None:
            schema = pa.ipc.read_schema(pa.py_buffer(body))
        else:
            batches.append(pa.ipc.read_record_batch(pa.py_buffer(body), schema))
        at += HEADER.size + len(body)
    table = pa.Table.from_batches(batches, schema) if schema is not None else None
    return ReadLog(table, len(data) - at)


def _frame(data: bytes, at: int) -> bytes | None:
    if at + HEADER.size > len(data):
        return None
    magic, length, crc = HEADER.unpack_from(data, at)
    body = data[at + HEADER.size : at + HEADER.size + length]
    if magic != MAGIC or len(body) != length or zlib.crc32(body) != crc:
        return None
    return body


def writer_is_alive(path: Path) -> bool:
    """True while the process that opened the log holds its lock."""
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def sync_folder(folder: Path) -> None:
    """Makes a new or renamed name in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
