"""Judges CAP alerts in a thread of its own: parsing and verifying takes milliseconds, and a flood of them seconds.

Sources take turns: a thousand forged alerts of one do not stand before the real one of another. What is refused gives
one line in the log and one quarantine row; what waits too long in a full queue is refused as a flood.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from actuation.cap import Accepted, CapSource, CapSources, Ignored, Refused, SeenAlerts, Verdict, ZoneIndex, judge
from actuation.cap.source import Channel

log = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""Alerts of one source that wait to be judged."""

MOST_BYTES = 64 * 2**20
"""Their bytes together: a thousand of the largest would be 2 GB."""

Done = Callable[["Judged"], None]


@dataclass(slots=True)
class Judged:
    """verdict None: the source is not known, or its queue was full: `why` says so."""

    source: str
    data: bytes
    channel: Channel
    verdict: Verdict | None
    why: str | None = None
    field: str | None = None


@dataclass(slots=True)
class SourceCount:
    last_seen: datetime | None = None
    last_what: str | None = None
    accepted: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Waiting:
    source: CapSource
    data: bytes
    channel: Channel
    done: Done


class CapDesk:
    """`submit` never waits; `done` is called in the judging thread, or at once for what is not judged."""

    def __init__(self, sources: CapSources, zones: ZoneIndex, seen_path: Path | None) -> None:
        self.sources, self.zones = sources, zones
        self.seen = SeenAlerts(seen_path)
        self._queues: dict[str, deque[_Waiting]] = {}
        self._turns: deque[str] = deque()
        self._some = threading.Condition()
        self._ends = False
        self.counts: dict[str, SourceCount] = {source.code: SourceCount() for source in self.sources.source}
        self._thread = threading.Thread(target=self._run, name="reflex-cap", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._some:
            self._ends = True
            self._some.notify_all()
        self._thread.join(5)
        self.seen.close()

    def submit(self, code: str, data: bytes, channel: Channel, done: Done) -> None:
        source = self.sources.of(code)
        if source is None:
            done(Judged(code, data, channel, None, f"no source is called {code!r}", "source"))
            return
        with self._some:
            queue = self._queues.setdefault(code, deque())
            waiting_bytes = sum(len(each.data) for each in queue)
            if len(queue) < MOST_WAITING and waiting_bytes + len(data) <= MOST_BYTES:
                if not queue:
                    self._turns.append(code)
                queue.append(_Waiting(source, data, channel, done))
                self._some.notify()
                return
        done(Judged(code, data, channel, None, f"flood: {len(queue)} alerts of {code} wait already", "source"))

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            try:
                verdict = judge(
                    waiting.data,
                    waiting.source,
                    self.zones,
                    self.seen,
                    datetime.now(UTC),
                    channel=waiting.channel,
                )
                judged = Judged(waiting.source.code, waiting.data, waiting.channel, verdict)
            except Exception as error:
                log.exception("alert of %s could not be judged", waiting.source.code)
                judged = Judged(waiting.source.code, waiting.data, waiting.channel, None, f"not judged: {error}")
            self._count(judged)
            waiting.done(judged)

    def _next(self) -> _Waiting | None:
        with self._some:
            while not self._turns:
                if self._ends:
                    return None
                self._some.wait()
            if self._ends:
                return None
            code = self._turns.popleft()
            queue = self._queues[code]
            waiting = queue.popleft()
            if queue:
                self._turns.append(code)
            return waiting

    def _count(self, judged: Judged) -> None:
        count = self.counts.setdefault(judged.source, SourceCount())
        count.last_seen = datetime.now(UTC)
        verdict = judged.verdict
        if isinstance(verdict, Accepted):
            count.accepted += 1
            infos = verdict.alert.info
            said = infos[0].headline or infos[0].event if infos else verdict.alert.msgType
            count.last_what = f"{verdict.alert.status} {verdict.alert.msgType}: {said}"[:200]
        elif isinstance(verdict, Ignored):
            count.last_what = f"{verdict.why}: {verdict.key}"[:200]
        else:
            count.refused += 1
            told = f"{verdict.reason}: {verdict.told}" if isinstance(verdict, Refused) else str(judged.why)
            count.last_what = told[:200]
