"""One lock for all writers of the lake: an OS file lock, so that it dies with its process (design, decision 10)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator

from city.settings import Settings

HELD_VARIABLE = "GORODOK_WRITER_LOCK_HELD"
"""Tells a holder's own thread, and child processes (dbt under Dagster), that they must not wait for themselves."""


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
    try:
        _acquire(fd, who, timeout_s)
        os.environ[HELD_VARIABLE] = f"{os.getpid()} {threading.get_ident()} {settings.home}"
        try:
            yield
        finally:
            del os.environ[HELD_VARIABLE]
    finally:
        os.close(fd)


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
