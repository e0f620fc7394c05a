"""Copies the ledger to the lake: lines after the cursor go out as `ledger_entry` feed messages, arrays of many.

`python -m actuation.reflex.forward`, a child of the reflex process and not a thread of it: copying 10,000 lines takes a
second of processor time, and the loop that answers in milliseconds would wait for the interpreter's lock. It reads the
ledger, has no key, and ends with its parent. At least once: the cursor moves when the broker has the lines, and
(ledger_id, seq) is the feed's key. It waits while the ledger grows: answers are counted first and copied after that.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from actuation.ledger import open_reader
from actuation.reflex.cursor import Cursor
from city.settings import ROOT, Settings, settings
from ingest.broker.client import BrokerUnreachableError
from ingest.publish import NotDeliveredError, Publisher

log = logging.getLogger(__name__)

EACH = 200
CALM_S, LONGEST_S = 0.6, 10.0
"""It begins when nothing was written for CALM_S, and after LONGEST_S in any case."""
POLL_S = 0.2
AGAIN_S = 2.0
NICE = 10
PUBLISHER = "reflex"


def cursor_of(found: Settings, ledger_id: str) -> Cursor:
    return Cursor(found.ledger_path.parent / "lake.cursor", ledger_id)


class Forwarder:
    """The child process. `behind`: lines that have not gone out."""

    def __init__(self, found: Settings, ledger_id: str, last_seq: Callable[[], int]) -> None:
        self._settings, self._ledger_id, self._last_seq = found, ledger_id, last_seq
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def behind(self) -> int:
        return max(0, self._last_seq() - cursor_of(self._settings, self._ledger_id).seq)

    def start(self) -> None:
        command = [sys.executable, "-m", "actuation.reflex.forward", str(os.getpid())]
        environment = {**os.environ, **_variables(self._settings)}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """Ends after the batch under way; what is left goes out at the next start."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def forward(found: Settings, parent: int, stop: threading.Event) -> None:
    """Until `stop`, or until the parent is gone."""
    with open_reader(found.ledger_path) as ledger:
        cursor = cursor_of(found, ledger.ledger_id)
        seen, seen_s, began_s = -1, time.monotonic(), None
        while not stop.wait(POLL_S) and os.getppid() == parent:
            seq, now = ledger.head()[0], time.monotonic()
            if seq != seen:
                seen, seen_s = seq, now
            if seq <= cursor.seq:
                began_s = None
                continue
            began_s = now if began_s is None else began_s
            if now - seen_s < CALM_S and now - began_s < LONGEST_S:
                continue
            try:
                _copy(found, cursor, stop)
                began_s = None
            except (BrokerUnreachableError, NotDeliveredError, OSError) as error:
                log.warning("the ledger is not copied to the lake: %s; tried again", error)
                stop.wait(AGAIN_S)


def _copy(found: Settings, cursor: Cursor, stop: threading.Event) -> None:
    with open_reader(found.ledger_path) as ledger, Publisher(found, stall_s=10) as publisher:
        while not stop.is_set() and (lines := ledger.read(cursor.seq, EACH)):
            body = b"[" + b",".join(line.model_dump_json(exclude_none=True).encode() for line in lines) + b"]"
            publisher.publish("ledger_entry", PUBLISHER, body)
            publisher.drain(10)
            cursor.move(lines[-1].seq)


def _variables(found: Settings) -> dict[str, str]:
    """What may differ from our own environment, as tests make settings without one."""
    return {"GORODOK_HOME": str(found.home), "GORODOK_CITY": found.city, "GORODOK_MQTT_URL": found.mqtt_url}


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(OSError):
        os.nice(NICE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    forward(settings(), int(sys.argv[1]), stop)


if __name__ == "__main__":
    main()
