"""Copies the ledger to the lake: lines after the cursor go out as `ledger_entry` feed messages, arrays of many.

At least once: the cursor moves when the broker has them, and (ledger_id, seq) is the feed's key. It waits while
the reflex is busy: 10,000 answers are counted first and copied after that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from actuation.ledger import open_reader
from actuation.reflex.cursor import Cursor
from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.publish import NotDeliveredError, Publisher

log = logging.getLogger(__name__)

EACH = 200
CALM_S, LONGEST_S = 0.7, 10.0
"""It begins when nothing was written for CALM_S, and after LONGEST_S in any case."""
AGAIN_S = 2.0
PUBLISHER = "reflex"


class Forwarder:
    """A thread. written: number of the last line and when (monotonic) it was written."""

    def __init__(self, settings: Settings, ledger_id: str, written: Callable[[], tuple[int, float]]) -> None:
        self._settings, self._written = settings, written
        self._cursor = Cursor(settings.ledger_path.parent / "lake.cursor", ledger_id)
        self._path: Path = settings.ledger_path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reflex-forward", daemon=True)

    @property
    def behind(self) -> int:
        return max(0, self._written()[0] - self._cursor.seq)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch under way; what is left goes out at the next start."""
        self._stop.set()
        self._thread.join(10)

    def drain(self, seconds: float) -> bool:
        """Waits until every line that is there now has gone out."""
        end = time.monotonic() + seconds
        while self.behind and time.monotonic() < end:
            time.sleep(0.05)
        return not self.behind

    def _run(self) -> None:
        waiting_s: float | None = None
        while not self._stop.wait(0.1):
            seq, written_s = self._written()
            if seq <= self._cursor.seq:
                waiting_s = None
                continue
            now = time.monotonic()
            waiting_s = waiting_s if waiting_s is not None else now
            if now - written_s < CALM_S and now - waiting_s < LONGEST_S:
                continue
            try:
                self._copy()
                waiting_s = None
            except (BrokerUnreachableError, NotDeliveredError, OSError) as error:
                log.warning("the ledger is not copied to the lake: %s; tried again", error)
                self._stop.wait(AGAIN_S)

    def _copy(self) -> None:
        with open_reader(self._path) as ledger, Publisher(self._settings, stall_s=10) as publisher:
            while not self._stop.is_set():
                lines = ledger.read(self._cursor.seq, EACH)
                if not lines:
                    return
                body = b"[" + b",".join(line.model_dump_json(exclude_none=True).encode() for line in lines) + b"]"
                publisher.publish("ledger_entry", PUBLISHER, body)
                publisher.drain(10)
                self._cursor.move(lines[-1].seq)
                time.sleep(0.005)  # the loop that answers in milliseconds shares the interpreter's lock
