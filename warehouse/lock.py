"""One lock for all writers of the lake: an OS file lock, so that it dies with its process (design, decision 10).

Where the catalog is the city's own PostgreSQL, other machines may write too: then an advisory lock of that server is
taken as well. It dies with its connection, and the connection with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator

import psycopg

from city.settings import Settings

HELD_VARIABLE = "GORODOK_WRITER_LOCK_HELD"
"""Tells a holder's own thread, and child processes (dbt under Dagster), that they must not wait for themselves."""


CATALOG_LOCK = 0x676F726F646F6B
"""Number of the advisory lock: "gorodok" in ASCII."""


class WriterBusyError(RuntimeError):
    """Another writer held the lock for longer than the caller would wait."""


@contextlib.contextmanager
def writer_lock(settings: Settings, who: str, timeout_s: float = 600) -> Iterator[None]:
    """Holds the lake for writing. `who` is shown to those who wait. Re-entrant within a process tree.

    Raises WriterBusyError after `timeout_s` seconds, naming the holder.
    """
    if _held_by_us(settings):
        yield
        return
    path = settings.home / "lake.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, fd)
        started = time.monotonic()
        _acquire(fd, who, timeout_s)
        stack.enter_context(_other_machines(settings, timeout_s - (time.monotonic() - started)))
        os.environ[HELD_VARIABLE] = f"{os.getpid()} {threading.get_ident()} {settings.home}"
        stack.callback(os.environ.pop, HELD_VARIABLE, None)
        yield


@contextlib.contextmanager
def _other_machines(settings: Settings, timeout_s: float) -> Iterator[None]:
    """The advisory lock of an outer catalog; nothing where the catalog is embedded."""
    if settings.lake_catalog is None:
        yield
        return
    with psycopg.connect(settings.lake_catalog.get_secret_value(), autocommit=True) as connection:
        give_up = time.monotonic() + timeout_s
        while not _try_lock(connection):
            if time.monotonic() > give_up:
                raise WriterBusyError(
                    "the lake is being written from another machine (advisory lock of its catalog): wait, or end it"
                )
            time.sleep(0.2)
        yield  # closing the connection frees it


def _try_lock(connection: psycopg.Connection[tuple[bool]]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [CATALOG_LOCK]).fetchone()
    return bool(row and row[0])


def _held_by_us(settings: Settings) -> bool:
    """True in the thread that holds the lock and in a holder's child process; another thread waits its turn."""
    process, _, rest = os.environ.get(HELD_VARIABLE, "").partition(" ")
    thread, _, home = rest.partition(" ")
    return home == str(settings.home) and (process != str(os.getpid()) or thread == str(threading.get_ident()))


def _acquire(fd: int, who: str, timeout_s: float) -> None:
    give_up = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > give_up:
                holder = os.pread(fd, 200, 0).decode(errors="replace") or "somebody"
                raise WriterBusyError(
                    f"the lake is being written by {holder} for more than {timeout_s:.0f} s: wait, or end that process"
                ) from None
            time.sleep(0.05)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{who} (process {os.getpid()})".encode(), 0)
