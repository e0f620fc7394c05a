"""Gives the edge's journal to the platform: its ledger's lines as `ledger_entry` messages, when a broker answers.

At least once: the mark moves when the broker has the lines, and (ledger_id, seq) is the feed's key.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from actuation.ledger import open_reader
from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.publish import NotDeliveredError, Publisher

log = logging.getLogger(__name__)

EACH = 100
EVERY_S = 5.0
MARK = "handed_over"


class Handover:
    """A thread that tries now and then; the network may be away for days."""

    def __init__(self, settings: Settings, ledger: Path, publisher_id: str, every_s: float = EVERY_S) -> None:
        self._settings, self._ledger, self._id, self._every_s = settings, ledger, publisher_id, every_s
        self._mark = ledger.parent / MARK
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edge-handover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def once(self, connect_s: float = 3.0) -> int:
        """Lines that the broker has now and had not before. Raises BrokerUnreachableError, NotDeliveredError."""
        given, done = 0, self._done()
        with open_reader(self._ledger) as reader:
            if reader.head()[0] <= done:
                return 0
            with Publisher(self._settings, connect_s=connect_s, stall_s=10) as publisher:
                while lines := reader.read(done, EACH):
                    payload = b",".join(line.model_dump_json(exclude_none=True).encode() for line in lines)
                    publisher.publish("ledger_entry", self._id, b"[" + payload + b"]")
                    publisher.drain(10)
                    done = lines[-1].seq
                    self._mark.write_text(str(done))
                    given += len(lines)
        return given

    def _done(self) -> int:
        try:
            return int(self._mark.read_text())
        except (OSError, ValueError):
            return 0

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.once()
            except (BrokerUnreachableError, NotDeliveredError, OSError) as error:
                log.info("journal stays here: %s", error)
