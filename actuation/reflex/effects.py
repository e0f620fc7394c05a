"""Does what is no command: notices, onward CAP, incidents, tasks. A thread; the millisecond path never waits for it.

Each is a `created` line of the ledger before it is done. The cursor moves behind what is done, so that after a crash
the rest is done from the ledger: at least once, and every one has an id that makes the repeat harmless.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence

import orjson

from actuation.cap.out import CapOut
from actuation.ledger import NewEntry, open_reader
from actuation.people.notifier import Notifier
from actuation.reflex import journal
from actuation.reflex.bodies import Bodies, BodyLostError
from actuation.reflex.core import utc_now
from actuation.reflex.cursor import Cursor
from actuation.reflex.runner import StoppedError
from actuation.scenario.effect import Effect, NotifyPeople, OpenTask, PublishCap, RaiseIncident
from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.contracts import Contract
from ingest.contracts.alert_delivery import AlertDelivery
from ingest.contracts.notice_delivery import NoticeDelivery
from ingest.publish import NotDeliveredError, Publisher

log = logging.getLogger(__name__)

AGAIN_S = 2.0
POLL_S = 0.5
PUBLISHER = "reflex"


class EffectsWorker:
    """note: appends lines to the ledger (the Runner's)."""

    def __init__(
        self,
        settings: Settings,
        ledger_id: str,
        bodies: Bodies,
        notifier: Notifier | None,
        cap_out: CapOut | None,
        note: Callable[[Sequence[NewEntry]], None],
    ) -> None:
        self._settings, self._bodies, self._note = settings, bodies, note
        self._notifier, self._cap_out = notifier, cap_out
        folder = settings.ledger_path.parent
        self._cursor = Cursor(folder / "effects.cursor", ledger_id)
        self._told = Cursor(folder / "notices.cursor", "outbox")
        self._handed = Cursor(folder / "cap_out.cursor", "outbox")
        self._queue: queue.Queue[tuple[int, Sequence[Effect]] | None] = queue.Queue()
        self._publisher: Publisher | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reflex-effects", daemon=True)

    def start(self) -> None:
        self._queue.put((0, self._left_over()))
        self._thread.start()

    def submit(self, seq: int, effects: Sequence[Effect]) -> None:
        """seq: the ledger's last line with them."""
        self._queue.put((seq, tuple(effects)))

    def stop(self) -> None:
        self._stop.set()
        self._queue.put(None)
        self._thread.join(15)
        self._close_publisher()

    def _left_over(self) -> list[Effect]:
        """What an earlier process wrote into the ledger and did not do."""
        found: list[Effect] = []
        with open_reader(self._settings.ledger_path) as ledger:
            since, self._from = self._cursor.seq, ledger.head()[0]
            while lines := ledger.read(since):
                since = lines[-1].seq
                for line in lines:
                    if line.kind == "created" and line.command_id is None:
                        with contextlib.suppress(BodyLostError, KeyError, TypeError):
                            found.append(journal.created_of(line, self._bodies)[0])
        self._last = since
        return found

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                taken = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                self._deliveries()
                continue
            if taken is None:
                break
            seq, effects = taken
            for effect in effects:
                self._do_until_done(effect)
            if not self._stop.is_set():
                self._cursor.move(max(seq, self._last))
            self._deliveries()

    def _do_until_done(self, effect: Effect) -> None:
        while not self._stop.is_set():
            try:
                self._do(effect)
                return
            except (BrokerUnreachableError, NotDeliveredError, OSError) as error:
                self._close_publisher()
                log.warning("effect %s waits: %s", effect.effect_id[:8], error)
                self._stop.wait(AGAIN_S)
            except Exception:
                log.exception("effect %s (%s) cannot be done; it stays in the ledger", effect.effect_id, type(effect))
                return

    def _do(self, effect: Effect) -> None:
        if isinstance(effect, NotifyPeople):
            if self._notifier is not None:
                self._notifier.submit(effect)
        elif isinstance(effect, PublishCap):
            if self._cap_out is not None and effect.mode != "shadow":
                self._cap_out.submit(effect)
        elif isinstance(effect, RaiseIncident) and effect.mode == "live":
            self._publish("incident", orjson.dumps(effect.incident))
        elif isinstance(effect, OpenTask) and effect.mode == "live":
            self._publish("complaint", orjson.dumps(effect.complaint))

    def _deliveries(self) -> None:
        """Rows of the two outboxes, to the lake: notice_delivery and alert_delivery; and a line of the ledger each."""
        try:
            if self._notifier is not None and (rows := self._notifier.deliveries(self._told.seq)):
                self._publish("notice_delivery", _array([row for _, row in rows]))
                self._note([_told_line(row) for _, row in rows])
                self._told.move(rows[-1][0])
            if self._cap_out is not None and (given := self._cap_out.deliveries(self._handed.seq)):
                self._publish("alert_delivery", _array([row for _, row in given]))
                self._note([_handed_line(row) for _, row in given])
                self._handed.move(given[-1][0])
        except (BrokerUnreachableError, NotDeliveredError, OSError) as error:
            self._close_publisher()
            log.warning("deliveries of notices wait: %s", error)
            self._stop.wait(AGAIN_S)
        except StoppedError:
            self._stop.set()

    def _publish(self, feed: str, payload: bytes) -> None:
        if self._publisher is None:
            publisher = Publisher(self._settings, stall_s=10)
            publisher.__enter__()
            self._publisher = publisher
        self._publisher.publish(feed, PUBLISHER, payload)
        self._publisher.drain(10)

    def _close_publisher(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            with contextlib.suppress(Exception):
                publisher.__exit__(RuntimeError, None, None)


def _array(rows: Sequence[Contract]) -> bytes:
    return b"[" + b",".join(row.model_dump_json(exclude_none=True).encode() for row in rows) + b"]"


def _handed_line(row: AlertDelivery) -> NewEntry:
    return NewEntry.model_construct(
        at=utc_now(),
        kind="published",
        entity=row.identifier[:128],
        mode="none",
        action="publish_cap",
        reason=row.result,
        detail=row.model_dump_json(exclude_none=True)[:9_000],
    )


def _told_line(row: NoticeDelivery) -> NewEntry:
    said = orjson.dumps({"channel": row.channel, "recipient": row.recipient, "attempt": row.attempt}).decode()
    return NewEntry.model_construct(
        at=utc_now(),
        kind="notified",
        entity=row.notice_id,
        mode="none",
        action="notify",
        reason=row.result,
        detail=said,
    )
