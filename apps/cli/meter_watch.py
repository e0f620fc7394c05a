"""Meter checks beside the gateway: a listener that hands rows to a thread of its own and lands what the thread finds.

The thread keeps the flushing thread free: it may lag, it never holds an acknowledgement. What it remembers is saved
every minute and at the end, so that a restart goes on; after a kill the readings since the last save were not judged,
and the next reading of a meter is judged by a longer time. With more than `BACKLOG` rows waiting new ones are left
out and counted: the readings themselves are durable all the same.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from city.water import WaterPlan
from domains.water.meters import Checks, Limits
from domains.water.meters.rows import message_of_visit, messages_of, readings_of
from domains.water.meters.state import State
from ingest.contracts import Contract
from ingest.parcel import Parcel

log = logging.getLogger(__name__)

BACKLOG = 500_000
SAVE_S = 60.0
AT_ONCE = 500
"""Messages in one parcel: the decoder's limit is bytes, and these are small."""
SOURCE = "meter-checks"

Work = tuple[str, Sequence[Contract], pa.RecordBatch]


class MeterWatch:
    """Listener of the intake. `start` (with the intake's `submit`) before the first row, `stop` before it closes."""

    def __init__(self, path: Path, plan: WaterPlan) -> None:
        self._path = path
        sizes = plan.meters
        limits = Limits({"flat": sizes.flat_q3_m3_h, "house": sizes.house_q3_m3_h}, sizes.of)
        self._checks = Checks(limits, _recalled(path))
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._waiting = 0
        self.left_out = 0
        self._submit: Callable[[Parcel], None] | None = None
        self._thread = threading.Thread(target=self._work, name="meter-watch", daemon=True)

    def start(self, submit: Callable[[Parcel], None]) -> None:
        self._submit = submit
        self._thread.start()

    def stop(self) -> None:
        """Judges what waits, saves, and ends the thread."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def __call__(self, feed: str, models: Sequence[Contract], batch: pa.RecordBatch) -> None:
        if feed not in ("meter_reading", "meter_visit"):
            return
        if self._waiting > BACKLOG:
            if not self.left_out:
                log.warning("meter checks lag behind by %d readings: new ones are not judged", self._waiting)
            self.left_out += len(models)
            return
        self._waiting += len(models)
        self._queue.put((feed, models, batch))

    def _work(self) -> None:
        saved = time.monotonic()
        while True:
            try:
                work = self._queue.get(timeout=SAVE_S)
            except queue.Empty:
                work = ("", (), None)  # type: ignore[assignment]
            if work is None:
                break
            if work[0]:
                try:
                    self._judge(*work)
                except Exception:  # one odd row must not end the watch over all meters
                    log.exception("meter checks failed on %d rows of %s", len(work[1]), work[0])
                self._waiting -= len(work[1])
            if time.monotonic() - saved > SAVE_S:
                self._save()
                saved = time.monotonic()
        self._save()

    def _judge(self, feed: str, models: Sequence[Contract], batch: pa.RecordBatch) -> None:
        if feed == "meter_reading":
            readings, chosen = readings_of(models, batch)
            flags = self._checks.step(readings)
            messages = messages_of(flags, readings, chosen) if len(flags) else []
        else:
            messages = self._visits(models)
        for start in range(0, len(messages), AT_ONCE):
            assert self._submit is not None
            payload = json.dumps(messages[start : start + AT_ONCE], ensure_ascii=False).encode()
            self._submit(Parcel("meter_flag", SOURCE, payload))

    def _visits(self, visits: Sequence[Contract]) -> list[dict[str, object]]:
        messages = []
        for visit in visits:
            told = visit.__dict__
            if told["meter_id"] is None:
                continue
            result = "ok" if told["result"] == "repaired" else told["result"]
            at_us = round(told["event_time"].timestamp() * 1e6)
            changed = self._checks.visited(told["meter_id"], result, at_us)
            if changed is not None:
                messages.append(message_of_visit(visit, *changed))
        return messages

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(self._checks.state.to_bytes())
            fresh.replace(self._path)
        except OSError as error:
            log.warning("meter checks cannot be saved: %s", error)


def _recalled(path: Path) -> State | None:
    try:
        return State.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        log.warning("%s: %s; the checks begin anew", path, error)
        return None
