"""The ledger's file: SQLite in WAL mode with synchronous=FULL, one writer, any number of readers."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from actuation.ledger.entry import NewEntry, canonical, chain, genesis, instant, read_line
from actuation.ledger.schema import SCHEMA
from actuation.ledger.verify import Broken, verify
from ingest.contracts.ledger_entry import LedgerEntry

RESERVED = 1_000
"""Command numbers are taken from the disk so many at once; a crash skips what was left, which nobody minds."""

LIMIT = 10_000


class LedgerBusyError(RuntimeError):
    """Another process writes this ledger."""


class LedgerDamagedError(RuntimeError):
    """The last line is not where the head says: whoever goes on writing would hide what happened."""


class LedgerReader:
    """Reads a ledger that another process may be writing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._turn = threading.RLock()

    @property
    def ledger_id(self) -> str:
        with self._turn:
            row = self._db.execute("SELECT ledger_id FROM head").fetchone()
        return str(row[0])

    def head(self) -> tuple[int, str]:
        """(number, hash) of the last line: note it elsewhere, and `verify(witness=…)` finds a ledger cut short."""
        with self._turn:
            row = self._db.execute("SELECT seq, hash FROM head").fetchone()
        return int(row[0]), str(row[1])

    def read(self, since_seq: int = 0, limit: int = LIMIT, *, since: datetime | None = None) -> list[LedgerEntry]:
        """Lines with a number above `since_seq`, written at `since` or later, in order, at most `limit`."""
        with self._turn:
            rows = self._db.execute(
                "SELECT line, prev_hash, hash FROM line WHERE seq > ? AND at >= ? ORDER BY seq LIMIT ?",
                (since_seq, instant(since) if since else "", limit),
            ).fetchall()
        return [read_line(*row) for row in rows]

    def verify(self, witness: tuple[int, str] | None = None) -> Broken | None:
        """The first line that is not as it was written; None when all are. witness: an earlier `head()`."""
        with self._turn:
            return verify(self._db, witness)

    def close(self) -> None:
        with self._turn:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Ledger(LedgerReader):
    """The one writer. Threads may share it."""

    def __init__(self, connection: sqlite3.Connection, lock: int) -> None:
        super().__init__(connection)
        self._lock = lock
        self._ledger_id, self._seq, self._hash = self._db.execute("SELECT ledger_id, seq, hash FROM head").fetchone()
        self._next = self._reserved_to = 0

    @classmethod
    def open(cls, path: Path) -> Self:
        """Made when it is not there.

        LedgerBusyError when another process has it open for writing. LedgerDamagedError when its end is not whole (the
        rest is `verify`'s to find: following the whole chain takes 25 s a million lines, and doors wait).
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _locked(path)
        connection = None
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            path.chmod(0o640)
            _prepare(connection, path)
            return cls(connection, lock)
        except BaseException as error:
            if connection is not None:
                connection.close()
            os.close(lock)
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                raise _damaged(path, str(error)) from error
            raise

    @property
    def ledger_id(self) -> str:
        return str(self._ledger_id)

    def append(self, entries: Sequence[NewEntry]) -> list[LedgerEntry]:
        """All or none, in one transaction; on the disk when this returns."""
        if not entries:
            return []
        with self._turn:
            seq, last = self._seq, self._hash
            rows, made = [], []
            moment, at = None, ""
            for entry in entries:
                seq += 1
                if entry.at is not moment:  # thousands of one turn have one time
                    moment, at = entry.at, instant(entry.at)
                line = canonical({**entry.__dict__, "ledger_id": self._ledger_id, "seq": seq, "at": at})
                prev, last = last, chain(last, line)
                rows.append((seq, at, line, prev, last))
                made.append(_entry(entry, ledger_id=self._ledger_id, seq=seq, prev_hash=prev, hash=last))
            with _transaction(self._db):
                self._db.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?)", rows)
                self._db.execute("UPDATE head SET seq = ?, hash = ?", (seq, last))
            self._seq, self._hash = seq, last
            return made

    def next_seq(self) -> int:
        """Number of the next command or beacon: rises for ever, over restarts and crashes too.

        It begins at the microseconds since 1970 (53 bits hold them until 2255), so that a ledger that was lost,
        restored from a backup, or is another machine's does not count below what devices have seen: they would refuse
        everything with `sequence`.
        """
        with self._turn:
            if self._next >= self._reserved_to:
                with _transaction(self._db):
                    (reserved,) = self._db.execute("SELECT reserved FROM command_number").fetchone()
                    self._next = max(reserved, time.time_ns() // 1_000)
                    self._reserved_to = self._next + RESERVED
                    self._db.execute("UPDATE command_number SET reserved = ?", (self._reserved_to,))
            self._next += 1
            return self._next

    def close(self) -> None:
        super().close()
        os.close(self._lock)


def open_reader(path: Path) -> LedgerReader:
    """A reader beside the writer. FileNotFoundError when there is no ledger yet."""
    if not path.is_file():
        raise FileNotFoundError(f"no ledger at {path}: `gorodok reflex` makes it")
    uri = f"{path.resolve().as_uri()}?mode=ro"
    return LedgerReader(sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10))


def read_ledger(path: Path, since_seq: int = 0, limit: int = LIMIT) -> Iterator[LedgerEntry]:
    """Lines above `since_seq`, in order, fetched `limit` at a time, from a ledger that another process may write."""
    with closing(open_reader(path)) as reader:
        while lines := reader.read(since_seq, limit):
            yield from lines
            since_seq = lines[-1].seq


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(SCHEMA)
    with _transaction(connection):
        if connection.execute("SELECT 1 FROM head").fetchone() is None:
            ledger_id = uuid.uuid4().hex
            connection.execute("INSERT INTO head VALUES (1, ?, 0, ?)", (ledger_id, genesis(ledger_id)))
    _check_tail(connection, path)


def _check_tail(connection: sqlite3.Connection, path: Path) -> None:
    head = connection.execute("SELECT seq, hash FROM head").fetchone()
    last = connection.execute("SELECT seq, hash FROM line ORDER BY seq DESC LIMIT 1").fetchone()
    if last != head and not (last is None and head[0] == 0):
        raise _damaged(path, f"its head is line {head[0]}, its last line {last[0] if last else 0}")


def _damaged(path: Path, why: str) -> LedgerDamagedError:
    return LedgerDamagedError(f"{path}: {why}. Move it and its -wal aside and keep them: a new ledger begins")


def _locked(path: Path) -> int:
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise LedgerBusyError(f"{path} is being written by another process: end it first") from None
    return handle


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends some by itself
            connection.execute("ROLLBACK")
        raise


def _entry(entry: NewEntry, **given: object) -> LedgerEntry:
    """A `LedgerEntry` of parts that were validated already, in 1 µs: pydantic's `model_construct` takes 9 µs, and
    10,000 doors answer at once."""
    made = LedgerEntry.__new__(LedgerEntry)
    object.__setattr__(made, "__dict__", {**entry.__dict__, **given})
    object.__setattr__(made, "__pydantic_fields_set__", entry.__pydantic_fields_set__ | given.keys())
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made
