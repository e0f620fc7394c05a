"""The loop: what has come in one turn goes through the engine, into the ledger with one fsync, and out.

    read → step → append (fsync) → publish → acknowledge

In this order, so that whatever moment the process dies at: an event that is not in the ledger comes again, because it
was not acknowledged; a command that is in the ledger and did not leave is sent at the restart, under the same id.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from actuation.cap import Accepted, Ignored, Refused
from actuation.keys import KeyRing
from actuation.ledger import Ledger, NewEntry
from actuation.reflex import failpoint, journal, snapshot
from actuation.reflex.bodies import Bodies
from actuation.reflex.book import Command
from actuation.reflex.capdesk import CapDesk, Judged
from actuation.reflex.core import Batch, Core, Outcome, Outgoing
from actuation.reflex.journal import milliseconds
from actuation.reflex.lease import Lease
from actuation.reflex.link import Link, LinkLostError
from actuation.reflex.listening import Listening
from actuation.reflex.quarantine import Refusals
from actuation.reflex.shapes import CapVerdict
from actuation.scenario.effect import Effect
from actuation.scenario.event import Event
from actuation.scenario.program import CLOCK_BACK
from actuation.topics import control_topic, parse_control
from actuation.wire.answer import Counters, seal, verify_answer, verify_sensed
from actuation.wire.beacon import PERIOD_S, next_beacon
from actuation.wire.jws import Bad
from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.broker.packets import Message
from ingest.topics import feed_of

log = logging.getLogger(__name__)

IDLE_S = 0.5
SNAPSHOT_LINES, SNAPSHOT_S = 20_000, 300.0
HANDOVER_S = 1.0
LARGEST_HANDOVER = 1_500_000
MOST_HANDED, CALM_S = 200, 30.0
LATENCIES = 20_000
FRESH_S = 0.1
"""A command goes with the time, unless the time went out so shortly before."""
CLOCK_RETRIES, CLOCK_PAUSE_S = 3, 0.3
LATER_S = 0.05
MOST_READS = 16
"""Of a turn that has no command to send: thousands of answers share an fsync, and none of them waits for another."""
BURST, SLOW_S, SLOW_BATCH = 64, 2.0, 250
"""When so many answers come in a turn, what sensors say of their state waits until they are counted, or for so long;
then so many a turn are taken. Each door says both at once, and the duty officer waits for the answers."""
RESEND_S = (2.0, 6.0, 15.0)
"""So long after a connection: devices need a moment to find the broker again."""


@dataclass(slots=True)
class Counts:
    """Since the start."""

    messages: int = 0
    events: int = 0
    commands: int = 0
    answers: int = 0
    repeated: int = 0
    unknown: int = 0
    forged: int = 0
    sensed: int = 0
    turns: int = 0
    lines: int = 0
    reconnects: int = 0


@dataclass(slots=True)
class _Turn:
    batch: Batch = field(default_factory=Batch)
    mids: list[int] = field(default_factory=list)
    began_s: float = 0.0
    answers: int = 0


class StoppedError(RuntimeError):
    """The loop has ended; what was asked was not done."""


class LeaseLostError(RuntimeError):
    """Another process holds the lease: this one must not act."""


class Runner:
    """`run` blocks until `stop`. Everything else may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        core: Core,
        ledger: Ledger,
        keys: KeyRing,
        lease: Lease,
        listening: Listening,
        cap: CapDesk,
        bodies: Bodies,
        number: Callable[[], int],
        on_effects: Callable[[int, Sequence[Effect]], None],
    ) -> None:
        self.core, self.ledger, self.lease, self.cap, self.listening = core, ledger, lease, cap, listening
        self._settings, self._keys, self._bodies, self._number = settings, keys, bodies, number
        self._on_effects = on_effects
        self.link = Link(settings, f"gorodok-reflex-{settings.city}", listening.topics())
        self.lock = threading.RLock()
        """Around core and ledger: held for a turn, and by readers of the API for moments."""
        self.counts = Counts()
        self.refusals = Refusals(settings.city)
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES)
        self._inbox: deque[Callable[[_Turn], None]] = deque()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self._mids: dict[int, Any] = {}
        self._counters = Counters()
        self._accepted_now: set[str] = set()
        self._open: set[Future[Any]] = set()
        self._finished = False
        self._stop = threading.Event()
        self._now = datetime.now(UTC)
        self._next_beacon_s = self._next_try_s = self._beacon_s = 0.0
        self._without_time: list[Command] = []
        self._again_s: list[float] = []
        self._later, self._later_s = Batch(), 0.0
        self._slow: deque[tuple[float, str, Message]] = deque()
        """(when it came, device, message) of sensors' messages that wait; not acknowledged yet."""
        self._handed_s = self._snapshot_s = time.monotonic()
        self._handed_state: object = None
        self._handed_at_s = time.monotonic()
        self._snapshot_seq = ledger.head()[0]
        self.last_line: tuple[int, float] = (self._snapshot_seq, 0.0)
        self.grown = threading.Condition()
        self.why_down: str | None = "not connected yet"

    # any thread

    def wake(self) -> None:
        with contextlib.suppress(OSError, BlockingIOError):
            if self._wake_fd >= 0:
                os.eventfd_write(self._wake_fd, 1)

    def stop(self) -> None:
        self._stop.set()
        self.wake()

    def call(self, do: Callable[[_Turn, datetime], Any]) -> Future[Any]:
        """Does it in the next turn; the result comes when what it wrote is on the disk."""
        future: Future[Any] = Future()

        def work(turn: _Turn) -> None:
            try:
                result = do(turn, self._now)
            except Exception as error:
                self._settle(future, error=error)
                return
            turn.batch.after.append(lambda: self._settle(future, result))

        self._post(work, future)
        return future

    def _post(self, work: Callable[[_Turn], None], future: Future[Any] | None = None) -> None:
        """For the next turn. Whoever waits for a loop that has ended is told so."""
        if future is not None:
            self._open.add(future)
        self._inbox.append(work)
        if self._finished and future is not None:
            self._settle(future, error=StoppedError("the reflex process is stopping"))
        self.wake()

    def _settle(self, future: Future[Any], result: Any = None, error: Exception | None = None) -> None:
        self._open.discard(future)
        with contextlib.suppress(InvalidStateError):
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

    def event(self, event: Event, more: Sequence[NewEntry] = ()) -> Future[Outcome]:
        """An event of the API's. more: lines that go before it."""

        def do(turn: _Turn, now: datetime) -> Outcome:
            turn.batch.entries += more
            return self._step(event, turn)

        return self.call(do)

    def note(self, entries: Sequence[NewEntry]) -> None:
        """Lines for the ledger from another thread; returns when they are on the disk."""

        def do(turn: _Turn, now: datetime) -> None:
            turn.batch.entries += entries

        self.call(do).result(30)

    def refuse(self, feed: str, source: str, data: bytes, reason: str, field: str | None, value: str | None) -> None:
        """A line in the log and a quarantine row for what another thread refused."""

        def do(turn: _Turn, now: datetime) -> None:
            found = self.refusals.message(feed, source, data, reason, field, value)
            if found is not None:
                turn.batch.outgoing.append(Outgoing(*found))

        self.call(do)

    def alert(self, source: str, data: bytes, channel: Any) -> Future[CapVerdict]:
        """A CAP alert's original bytes; the verdict comes when what it caused is on the disk."""
        future: Future[CapVerdict] = Future()

        def work(judged: Judged) -> None:
            self._post(lambda turn: self._take_judged(judged, turn, 0, future), future)

        self.cap.submit(source, data, channel, work)
        return future

    # the loop

    def run(self) -> None:
        """Raises LeaseLostError when another process has taken over."""
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)
        registered = -1
        try:
            while not self._stop.is_set():
                if not self.lease.mine:
                    raise LeaseLostError(f"the lease is held by {self.lease.known.holder}")
                registered = self._register(poll, registered)
                for fd, _ in poll.poll(self._timeout_ms()):
                    if fd == self._wake_fd:
                        with contextlib.suppress(BlockingIOError):
                            os.eventfd_read(self._wake_fd)
                self._one()
        finally:
            self._finish()

    def _register(self, poll: Any, registered: int) -> int:
        fd = self.link.fileno()
        if registered not in (-1, fd):
            with contextlib.suppress(KeyError, OSError):
                poll.unregister(registered)
        if fd != -1:
            poll.register(fd, select.POLLIN | (select.POLLOUT if self.link.wants_write else 0))
        return fd

    def _timeout_ms(self) -> float:
        if self._inbox or self._slow:
            return 0
        due = [IDLE_S, self._next_beacon_s - time.monotonic()]
        with self.lock:
            next_due = self.core.program.next_due(self.core.state)
            ends_ms = self.core.book.next_due_ms()
        now = datetime.now(UTC)
        if next_due is not None:
            due.append((next_due - now).total_seconds())
        if ends_ms is not None:
            due.append(ends_ms / 1_000 - now.timestamp())
        if self._without_time:
            due.append(CLOCK_PAUSE_S)
        if self._later.entries:
            due.append(LATER_S)
        return max(1.0 if min(due) > 0 else 0.0, min(due) * 1_000)

    def _one(self) -> None:
        """One turn."""
        if not self.lease.fresh():
            # broker away, or we slept: nothing is taken and nothing leaves until the lease is ours again
            self._keep_link(connect=False)
            time.sleep(0.02)
            return
        self._keep_link()
        turn = _Turn(began_s=time.perf_counter())
        self.counts.turns += 1
        with self.lock:
            self._now = _next_now(self._now, datetime.now(UTC))
            try:
                self._take_messages(turn)
            except LinkLostError as error:
                self._lost(error)
            self._take_slow(turn)
            self._take_inbox(turn)
            self._take_time(turn)
            self._commit(turn)
        self._housekeeping()

    def _keep_link(self, connect: bool = True) -> None:
        if self.link.connected:
            try:
                self.link.keep_alive()
            except LinkLostError as error:
                self._lost(error)
            return
        now = time.monotonic()
        if not connect or now < self._next_try_s:
            return
        try:
            self.link.connect()
        except BrokerUnreachableError as error:
            self._next_try_s = now + 0.3
            if self.why_down is None:
                log.warning("%s", error)
            self.why_down = str(error)
            return
        self.why_down = None
        log.info("connected to the broker (%d)", self.link.connects)
        self._greet()

    def _greet(self) -> None:
        """After each connection: the keys that are good, the time, and the commands that have not left."""
        city = self._settings.city
        self._publish(Outgoing(control_topic(city, "keys", "all"), self._keys.keyset), retain=True)
        self._beacon()
        with self.lock:
            now_ms = milliseconds(datetime.now(UTC))
            waiting = {id(what) for what in self._mids.values()}
            for command in self.core.book.unsent():
                if command.expires_ms > now_ms and id(command) not in waiting:
                    self._publish(self.core.signed(command))
        if self.link.connects > 1:
            self._again_s = [time.monotonic() + each for each in RESEND_S]
        self.link.flush()

    def _send_again(self) -> None:
        """After a new connection: a broker that was killed may have lost what it had acknowledged.

        Open commands go once more, under a new number, to a target of which somebody is silent and nobody has had a
        later command. Who has done it answers again and moves nothing.
        """

        def do(turn: _Turn, now: datetime) -> None:
            book, now_ms = self.core.book, milliseconds(now)
            for command in book.open():
                silent = command.silent()
                if command.sent_ms is None or command.expires_ms <= now_ms or not silent:
                    continue
                if all(book.is_newest(command, each) for each in command.expected):
                    self.core.retry(command, sorted(silent), "reflex", now, turn.batch)

        self.call(do)

    def _beacon(self) -> None:
        self._beacon_s = time.monotonic()
        self._next_beacon_s = self._beacon_s + PERIOD_S
        changed = self._keys.refresh()
        if changed:
            self._publish(Outgoing(control_topic(self._settings.city, "keys", "all"), self._keys.keyset), retain=True)
        payload = next_beacon(self._settings.city, self._keys, self._number, datetime.now(UTC))
        self._publish(Outgoing(control_topic(self._settings.city, "clock", "beacon"), payload))

    def _publish(self, out: Outgoing, *, retain: bool = False) -> None:
        mid = self.link.publish(out.topic, out.payload, retain=retain)
        if out.command is not None:
            self._mids[mid] = out.command

    def _lost(self, error: LinkLostError) -> None:
        self.counts.reconnects += 1
        self.why_down = str(error)
        for _, _, message in self._slow:
            message.mid = 0  # of a line that is gone; the broker sends it again, and it counts once
        if error.taken_over:
            raise LeaseLostError("another process connected as the reflex") from error
        log.warning("broker: %s; connecting again", error)

    # what comes

    def _take_messages(self, turn: _Turn) -> None:
        for _ in range(MOST_READS):
            messages, acked = self.link.read()
            sent = [command for mid in acked if (command := self._mids.pop(mid, None)) is not None]
            if sent:
                self.core.sent(sent, self._now, self._later)
                self._later_s = self._later_s or time.monotonic()
            for message in messages:
                self._take(message, turn)
            if not messages or any(out.command is not None for out in turn.batch.outgoing):
                return

    def _take(self, message: Message, turn: _Turn) -> None:
        """One message; whatever is in it, the loop goes on."""
        self.counts.messages += 1
        control = parse_control(message.topic)
        try:
            if control is None:
                for event in self.listening.events(feed_of(message.topic), message.payload):
                    self._step(event, turn)
            elif control[0] == "answer":
                self._take_answer(control[1], message.payload, turn)
            elif control[0] == "sensed":
                if self._may_wait(message, turn):
                    self._slow.append((time.monotonic(), control[1], message))
                    return  # acknowledged when it is taken
                self._take_older(control[1], turn)
                self._take_sensed(control[1], message.payload, turn)
            elif control[0] == "cap":
                self._take_cap(control[1], message, turn)
                return  # acknowledged when it is judged
        except Exception:
            log.exception("message on %s could not be handled", message.topic)
        if message.mid:
            turn.mids.append(message.mid)

    def _may_wait(self, message: Message, turn: _Turn) -> bool:
        """In a burst of answers; a reading never waits. One that waits holds those after it, so that order is kept."""
        return (turn.answers >= BURST or bool(self._slow)) and b'"reading":' not in message.payload

    def _take_slow(self, turn: _Turn) -> None:
        """What sensors said in a burst, when no answers came in this turn or when it has waited for long."""
        if not self._slow:
            return
        old_s = time.monotonic() - SLOW_S
        for _ in range(min(SLOW_BATCH, len(self._slow))):
            if turn.answers and self._slow[0][0] > old_s:
                return
            self._take_waiting(self._slow.popleft(), turn)

    def _take_older(self, device_id: str, turn: _Turn) -> None:
        """What waits of this device, before a reading of it: after a newer message it would count for nothing."""
        mine = [each for each in self._slow if each[1] == device_id]
        if mine:
            self._slow = deque(each for each in self._slow if each[1] != device_id)
            for each in mine:
                self._take_waiting(each, turn)

    def _take_waiting(self, waiting: tuple[float, str, Message], turn: _Turn) -> None:
        _, device_id, message = waiting
        try:
            self._take_sensed(device_id, message.payload, turn)
        except Exception:
            log.exception("message on %s could not be handled", message.topic)
        if message.mid:
            turn.mids.append(message.mid)

    def _step(self, event: Event, turn: _Turn) -> Outcome:
        self.counts.events += 1
        return self.core.event(event, self._now, turn.batch)

    def _take_answer(self, device_id: str, payload: bytes, turn: _Turn) -> None:
        answer = verify_answer(payload, self._keys, device_id)
        if isinstance(answer, Bad) or device_id not in self.core.book.register.places:
            self._forged("answer", device_id, payload, answer.reason if isinstance(answer, Bad) else "unknown", turn)
            return
        what = self.core.answer(answer, self._now, turn.batch)
        if what == "counted":
            self.counts.answers += 1
            turn.answers += 1
            if answer.reason == "clock":
                command = self.core.book.commands[str(answer.cid)]
                if command not in self._without_time:
                    self._without_time.append(command)
            if "answer" in self.listening.kinds:
                body = {
                    "command_id": answer.cid,
                    "device_id": device_id,
                    "result": answer.result,
                    "reason": answer.reason,
                    "state": answer.state,
                }
                self._step(Event("answer", f"answer:{device_id}:{answer.n}", self._now, body, trust="verified"), turn)
        elif what == "repeated":
            self.counts.repeated += 1
        else:
            self.counts.unknown += 1
            if answer.result == "refused":
                log.warning("device %s refused a message: %s", device_id, answer.reason)

    def _take_sensed(self, device_id: str, payload: bytes, turn: _Turn) -> None:
        message = verify_sensed(payload, self._keys, device_id)
        if isinstance(message, Bad) or device_id not in self.core.book.register.places:
            self._forged("sensed", device_id, payload, message.reason if isinstance(message, Bad) else "unknown", turn)
            return
        if not self._counters.is_new(message):
            self.counts.repeated += 1
            return
        self.counts.sensed += 1
        at = self._now if message.at is None else journal.moment(message.at)
        if message.reading is not None and "device_message" in self.listening.kinds:
            body = {**message.reading, "device_id": device_id, "reading": dict(message.reading)}
            key = f"reading:{device_id}:{message.n}"
            self._step(Event("device_message", key, at, body, trust="verified"), turn)
        elif self.core.sensed(message, self._now, turn.batch) and "sensed" in self.listening.kinds:
            body = {"device_id": device_id, "state": message.state, "at": message.at}
            self._step(Event("sensed", f"sensed:{device_id}:{message.n}", at, body, trust="verified"), turn)

    def _forged(self, feed: str, device_id: str, payload: bytes, reason: str, turn: _Turn) -> None:
        self.counts.forged += 1
        found = self.refusals.message(
            "unknown", f"ctl/{feed}/{device_id}"[:200], payload, f"{reason}: {feed}", None, None
        )
        if found is not None:
            turn.batch.outgoing.append(Outgoing(*found))

    def _take_cap(self, source: str, message: Message, turn: _Turn) -> None:
        def work(judged: Judged) -> None:
            self._post(lambda later: self._take_judged(judged, later, message.mid, None))

        self.cap.submit(source, message.payload, "mqtt", work)

    def _take_judged(self, judged: Judged, turn: _Turn, mid: int, future: Future[CapVerdict] | None) -> None:
        """An alert that was judged: its events through the engine, or a quarantine row."""
        verdict, told = judged.verdict, _told(judged)
        if isinstance(verdict, Accepted) and verdict.key not in self._accepted_now:
            self._accepted_now.add(verdict.key)
            try:
                for event in verdict.events:
                    outcome = self._step(event, turn)
                    told["runs"] += [run for run in outcome.runs if run not in told["runs"]]
                    told["commands"] += outcome.commands
            except BaseException:  # or its redelivery would count as repeated, and the alert would be lost
                self._accepted_now.discard(verdict.key)
                raise
            for remark in verdict.remarks:
                log.warning("alert %s of %s: %s", verdict.key, verdict.source, remark)
            log.info(
                "alert %s of %s (%s): %d commands", verdict.key, verdict.source, verdict.trust, len(told["commands"])
            )
            if verdict.alert.scope == "Public":  # others are not for the lake and the pages that everybody sees
                topic = f"gorodok/v1/{self._settings.city}/alert/reflex"
                turn.batch.outgoing.append(Outgoing(topic, orjson.dumps(dict(verdict.body))))
            turn.batch.after.append(lambda: self._accepted(verdict))
        elif isinstance(verdict, Accepted):
            told["result"] = "repeated"
        elif not isinstance(verdict, Ignored):
            self._refuse(judged, told, turn)
        if mid:
            turn.mids.append(mid)
        if future is not None:
            turn.batch.after.append(lambda: self._settle(future, told))

    def _accepted(self, verdict: Accepted) -> None:
        self.cap.seen.add(verdict)
        self._accepted_now.discard(verdict.key)

    def _refuse(self, judged: Judged, told: CapVerdict, turn: _Turn) -> None:
        verdict = judged.verdict
        if isinstance(verdict, Refused):
            row = verdict.refusal(judged.source, judged.data)
            found = self.refusals.message(row.feed, row.source, judged.data, row.reason, row.field, row.value)
        else:
            reason = judged.why or "refused"
            found = self.refusals.message(
                "alert", f"cap:{judged.source}"[:200], judged.data, reason, judged.field, judged.source[:200]
            )
        if found is not None:
            turn.batch.outgoing.append(Outgoing(*found))

    def _take_inbox(self, turn: _Turn) -> None:
        for _ in range(len(self._inbox)):
            try:
                work = self._inbox.popleft()
            except IndexError:
                return
            try:
                work(turn)
            except Exception:
                log.exception("a posted piece of work failed")

    def _take_time(self, turn: _Turn) -> None:
        due = self.core.program.next_due(self.core.state)
        if due is None and self.core.state.program != self.core.program.version:
            due = self._now  # the first step of a program: its schedules are noted
        if due is not None and due <= self._now:
            self._step(Event("tick", f"tick:{self._now.isoformat()}", self._now), turn)
        self.core.expire(self._now, turn.batch)

    # what goes

    def _commit(self, turn: _Turn) -> None:
        batch = turn.batch
        commands = sum(out.command is not None for out in batch.outgoing)
        seq = self._write(batch.entries, commands)
        self._wait_until_fresh()
        if self._time_is_old(batch.outgoing):
            self._beacon()  # a device that has just come up has no time yet, and would refuse
        self._send(batch.outgoing, commands, turn.began_s)
        self.link.flush()  # what the window or the kernel held back in an earlier turn, too
        if turn.answers:
            failpoint.reach("after_answers")
        if turn.mids:
            self.link.ack(turn.mids)
            self.link.flush()
            if commands:
                failpoint.reach("after_ack")
        if seq != self.last_line[0]:
            self.last_line = (seq, time.monotonic())
            if batch.effects:
                self._on_effects(seq, batch.effects)
            with self.grown:
                self.grown.notify_all()
        for done in batch.after:
            done()

    def _wait_until_fresh(self) -> None:
        """Between the ledger and the broker: a busy broker may be late with the lease's echo, and we may have slept.

        What is written waits; if another has taken over meanwhile it stays unsent, and the other decides.
        """
        while not self.lease.fresh():
            if not self.lease.mine or self._stop.is_set():
                raise LeaseLostError("the lease ran out during a turn")
            time.sleep(0.005)

    def _write(self, entries: list[NewEntry], commands: int) -> int:
        """On the disk when this returns. Gives the last line's number.

        `sent` lines wait for company up to LATER_S: an fsync of their own would halve the rate, and a line that
        is lost in a crash only causes a command to be sent once more.
        """
        if self._later.entries and (entries or time.monotonic() - self._later_s > LATER_S):
            entries[:0] = self._later.entries
            self._later, self._later_s = Batch(), 0.0
        if not entries:
            return self.last_line[0]
        if commands:
            failpoint.reach("before_ledger")
        lines = self.ledger.append(entries)
        self.counts.lines += len(lines)
        if commands:
            failpoint.reach("after_ledger")
        return lines[-1].seq

    def _send(self, outgoing: Sequence[Outgoing], commands: int, began_s: float) -> None:
        for out in outgoing:
            self._publish(out)
        if outgoing:
            self.link.flush()
        if commands:
            self.counts.commands += commands
            self.latencies_ms.append((time.perf_counter() - began_s) * 1_000)
            failpoint.reach("after_publish")

    def _time_is_old(self, outgoing: Sequence[Outgoing]) -> bool:
        age_s = time.monotonic() - self._beacon_s
        return age_s > FRESH_S and any(out.command is not None for out in outgoing)

    def _once_more(self) -> None:
        """Devices that had no time get it, and their command again under a new number."""
        due = [each for each in self._without_time if each.expires_ms > milliseconds(self._now) and not each.closed]
        self._without_time.clear()

        def do(turn: _Turn, now: datetime) -> None:
            self._beacon()
            for command in due:
                ids = [name for name, answer in command.answers.items() if answer[1] == "clock"]
                newest = all(self.core.book.is_newest(command, name) for name in command.expected)
                if ids and newest and command.clock_retries < CLOCK_RETRIES:
                    command.clock_retries += 1
                    self.core.retry(command, ids, "reflex", now, turn.batch)

        if due:
            self.call(do)

    def _housekeeping(self) -> None:
        now = time.monotonic()
        if self._again_s and now >= self._again_s[0] and self.link.connected:
            self._again_s.pop(0)
            self._send_again()
        if self._without_time and now - self._beacon_s > CLOCK_PAUSE_S:
            self._once_more()
        if now >= self._next_beacon_s and self.link.connected:
            self._beacon()
            self.link.flush()
        if now - self._handed_s > HANDOVER_S and self.link.connected:
            self._handed_s = now
            self._hand_on()
        lines = self.last_line[0] - self._snapshot_seq
        wanted = lines > SNAPSHOT_LINES or (lines > 0 and now - self._snapshot_s > SNAPSHOT_S)
        if wanted and now - self.last_line[1] > 1.0:  # in a quiet moment: it takes tens of milliseconds
            self.save_snapshot()

    def _hand_on(self) -> None:
        """Retained at the broker for a process on another machine: the state, when a run or a command changed."""
        with self.lock:
            state = self.core.state
            mark = (id(state.runs), id(state.past), len(self.core.book.commands))
            if mark == self._handed_state or (self._handed_state is None and not state.runs):
                return
            if len(state.runs) + len(state.past) > MOST_HANDED and time.monotonic() - self._handed_at_s < CALM_S:
                return  # hundreds of crossings: their runs last seconds, and another machine begins new ones
            self._handed_at_s = time.monotonic()
            self._handed_state = mark
            found = {"epoch": self.lease.epoch, "ledger": self.ledger.ledger_id, **self.core.handover(open_only=True)}
        body = orjson.dumps(found)
        if len(body) > LARGEST_HANDOVER:
            log.warning("the state is %d bytes: too large to hand on to another machine by the broker", len(body))
            return
        key = self._keys.device_keys("reflex-lease")[0]
        self.link.publish(control_topic(self._settings.city, "lease", "state"), seal(body, key), retain=True)
        self.link.flush()

    def save_snapshot(self) -> None:
        with self.lock:
            seq = self.ledger.head()[0]
            snapshot.save(
                self._settings.ledger_path.parent / "snapshot.json",
                self.ledger.ledger_id,
                seq,
                self.core.handover(),
            )
            self._snapshot_seq, self._snapshot_s = seq, time.monotonic()
            self.core.book.forget(milliseconds(self._now) - int(timedelta(days=7).total_seconds() * 1_000))

    def _finish(self) -> None:
        self._finished = True
        self._inbox.clear()
        for future in list(self._open):
            self._settle(future, error=StoppedError("the reflex process is stopping"))
        if self._later.entries:
            self.ledger.append(self._later.entries)
        if self.lease.mine:
            self.link.stop()
            with contextlib.suppress(OSError):
                self.save_snapshot()
        else:
            self.link.close()
        fd, self._wake_fd = self._wake_fd, -1
        os.close(fd)


def _next_now(before: datetime, clock: datetime) -> datetime:
    """Never a little backward: lines keep their order. By more the clock was wrong and was put right: the engine moves
    its timers (CLOCK_BACK), and commands signed by a time that is ahead would be refused with not_yet."""
    return clock if clock < before - CLOCK_BACK else max(before, clock)


def _told(judged: Judged) -> CapVerdict:
    verdict = judged.verdict
    told: CapVerdict = {
        "result": "refused",
        "event_key": None,
        "reason": judged.why,
        "field": judged.field,
        "value": None,
        "runs": [],
        "commands": [],
    }
    if isinstance(verdict, Accepted):
        told |= {"result": "accepted", "event_key": verdict.key, "reason": None}
    elif isinstance(verdict, Ignored):
        told |= {"result": "repeated", "event_key": verdict.key, "reason": verdict.why}
    elif isinstance(verdict, Refused):
        told |= {
            "event_key": verdict.key,
            "reason": f"{verdict.reason}: {verdict.told}",
            "field": verdict.field,
            "value": verdict.value,
        }
    return told
