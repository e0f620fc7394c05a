"""One turn of the reflex without any socket: events through the engine, lines for the ledger, commands to send.

What a turn decides is a Batch. The Runner writes its lines in one transaction, then sends, then acknowledges.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from actuation.keys import KeyRing
from actuation.ledger import NewEntry
from actuation.reflex import journal
from actuation.reflex.bodies import Bodies
from actuation.reflex.book import Book, Command
from actuation.reflex.runs import RunBook
from actuation.scenario.effect import CommandDevices, Effect
from actuation.scenario.event import Event
from actuation.scenario.program import Program
from actuation.scenario.state import EngineState
from actuation.scenario.turn import PARTS
from actuation.topics import control_topic
from actuation.wire.answer import Answer, Sensed
from ingest.contracts.ledger_entry import LedgerEntry

log = logging.getLogger(__name__)

NO_ACCESS_LISTS = "no_access_lists"
"""Why a live command to doors was not sent: anybody may publish at this broker."""
LATE = 30_000
"""Milliseconds: a command that could not be sent for so long after its creation says so in the log."""


@dataclass(slots=True)
class Outgoing:
    """A message for the broker. command: whose `sent` line the broker's acknowledgement causes."""

    topic: str
    payload: bytes
    command: Command | None = None


@dataclass(slots=True)
class Batch:
    """What a turn writes and sends. after: called when the lines are on the disk, with them."""

    entries: list[NewEntry] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.entries or self.outgoing or self.after)


@dataclass(slots=True)
class Outcome:
    """What one event led to."""

    runs: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    effects: int = 0
    changed: bool = False


class Core:
    """Engine, book and keys together. One thread at a time (the Runner's lock)."""

    def __init__(
        self,
        city: str,
        program: Program,
        book: Book,
        keys: KeyRing,
        number: Callable[[], int],
        bodies: Bodies,
        *,
        live_doors: bool,
    ) -> None:
        """number: gives the next command's number."""
        self._city, self.program, self.book, self._keys = city, program, book, keys
        self._number, self._bodies, self.live_doors = number, bodies, live_doors
        self.state = EngineState()
        self.runs = RunBook(program)

    # forward: events become lines and commands

    def event(self, event: Event, now: datetime, batch: Batch) -> Outcome:
        """An event through the engine. One that changes nothing leaves no line: replaying without it is the same."""
        state, effects = self.program.step(self.state, event, now)
        if not effects and _is_same(state, self.state):
            return Outcome()
        self._set(state)
        batch.entries.append(journal.seen(event, now, self._bodies))
        outcome = Outcome(changed=True, effects=len(effects))
        for effect in effects:
            run_id = effect.cause.run_id
            if run_id not in outcome.runs:
                outcome.runs.append(run_id)
            if isinstance(effect, CommandDevices):
                self._command(effect, now, batch)
                outcome.commands.append(effect.effect_id)
            else:
                batch.entries.append(journal.created(effect, now, self._bodies))
                batch.effects.append(effect)
        return outcome

    def _command(self, effect: CommandDevices, now: datetime, batch: Batch) -> None:
        if effect.effect_id in self.book.commands:
            return  # a line of it is in the ledger: the same effect again changes nothing
        target = journal.target_text(effect.target)
        refused = self._why_not(effect)
        seq = 0
        if effect.mode != "shadow" and refused is None:
            seq = self._number()
        more: dict[str, Any] = {"seq": seq}
        if refused is not None:
            more["refused"] = refused
        command = self.book.created(effect, target, seq, journal.milliseconds(now), refused)
        batch.entries.append(journal.created(effect, now, self._bodies, {**more, "expected": len(command.expected)}))
        if refused is not None:
            log.error(
                "command %s %s to %s was not sent: this broker has no access lists (anybody may publish); "
                "run mosquitto with `gorodok acl`, or drill",
                effect.effect_id[:8],
                effect.action,
                target,
            )
            batch.entries.append(self._line("refused", command, now, reason=refused))
        elif effect.mode != "shadow":
            batch.outgoing.append(self.signed(command))

    def _why_not(self, effect: CommandDevices) -> str | None:
        if effect.mode != "live" or self.live_doors or effect.action not in ("lock", "unlock"):
            return None
        return NO_ACCESS_LISTS if self.book.register.moves_doors(effect.target) else None

    def signed(self, command: Command) -> Outgoing:
        """The message of a command; the same bytes each time, as Ed25519 is deterministic."""
        effect = command.effect
        claims = journal.claims_of(effect, self._city, command.seq, journal.moment(command.created_ms))
        if effect.target.zone_id is not None:
            topic = control_topic(self._city, "zone", effect.target.zone_id)
        else:
            topic = control_topic(self._city, "command", effect.target.device_id or "")
        return Outgoing(topic, self._keys.sign_command(claims), command)

    def answer(self, answer: Answer, now: datetime, batch: Batch) -> str:
        """What became of it: counted, repeated, unknown (no such command), or a refusal of a message unknown to us."""
        command = self.book.commands.get(answer.cid) if answer.cid is not None else None
        if command is None:
            return "unknown"
        now_ms = journal.milliseconds(now)
        delay = self.book.answered(command, answer.device, answer.result, answer.reason, now_ms)
        if delay is None:
            return "repeated"
        kind = {"done": "acked", "would_do": "acked"}.get(answer.result, answer.result)
        if command.template is None:
            command.template = self._line("acked", command, now)
        state = f'{{"state":"{answer.state}"}}'
        batch.entries.append(
            journal.like(command.template, at=now, kind=kind, device_id=answer.device, reason=answer.reason,
                         answer_ms=delay, detail=state)
        )  # fmt: skip
        return "counted"

    def sensed(self, message: Sensed, now: datetime, batch: Batch) -> bool:
        """True when the device's state is another than before."""
        if message.state is None or not self.book.sensed(message.device, message.state, journal.milliseconds(now)):
            return False
        batch.entries.append(self._sensed_line(message.device, message.state, now))
        return True

    def sent(self, commands: Iterable[Command], now: datetime, batch: Batch) -> None:
        """The broker has them."""
        for command in commands:
            if command.sent_ms is None:
                command.sent_ms = journal.milliseconds(now)
                batch.entries.append(self._line("sent", command, now))

    def expire(self, now: datetime, batch: Batch) -> None:
        """Commands whose time has ended: a line for each device that never answered."""
        for command in self.book.due(journal.milliseconds(now)):
            self.book.close(command)
            for device_id in sorted(command.silent()):
                batch.entries.append(self._line("expired", command, now, device_id=device_id, reason="silent"))

    def retry(self, command: Command, device_ids: Sequence[str], by: str, now: datetime, batch: Batch) -> int:
        """The same command under a new number. Devices that have done it answer again and move nothing.

        device_ids: none of them may have a later command (Book.is_newest), or an old unlock would follow a lock.
        """
        command.seq = self._number()
        detail = orjson.dumps({"seq": command.seq}).decode()
        for device_id in device_ids:
            batch.entries.append(self._line("retried", command, now, device_id=device_id, by=by, detail=detail))
        batch.outgoing.append(self.signed(command))
        return command.seq

    def escalate(
        self, command: Command, device_ids: Sequence[str], by: str, to: str, now: datetime, batch: Batch
    ) -> None:
        detail = orjson.dumps({"to": to}).decode()
        for device_id in device_ids:
            answer = command.answers.get(device_id)
            reason = (answer[1] if answer else None) or "silent"
            batch.entries.append(
                self._line("escalated", command, now, device_id=device_id, by=by, reason=reason, detail=detail)
            )

    def _line(self, kind: str, command: Command, now: datetime, **more: Any) -> NewEntry:
        effect = command.effect
        cause = effect.cause
        return journal.line(
            **{
                "at": now,
                "kind": kind,
                "entity": effect.effect_id,
                "mode": effect.mode,
                "command_id": effect.effect_id,
                "target": command.target,
                "action": effect.action,
                "scenario": cause.scenario,
                "version": cause.version,
                "run_id": cause.run_id,
                "trigger_kind": cause.event_kind,
                "trigger_key": cause.event_key[:512],
                **more,
            }
        )

    @staticmethod
    def _sensed_line(device_id: str, state: str, now: datetime) -> NewEntry:
        return journal.line(at=now, kind="sensed", entity=device_id, mode="none", device_id=device_id, reason=state)

    # backward: lines become the state that they left

    def replay(self, entries: Iterable[LedgerEntry]) -> int:
        """Lines in order, after a restart. Gives how many there were."""
        count = 0
        for entry in entries:
            count += 1
            take = _REPLAYS.get(entry.kind)
            if take is not None:
                take(self, entry)
        return count

    def _replay_seen(self, entry: LedgerEntry) -> None:
        event, now = journal.seen_of(entry, self._bodies)
        state, _ = self.program.step(self.state, event, now)
        self._set(state)

    def _replay_created(self, entry: LedgerEntry) -> None:
        effect, more = journal.created_of(entry, self._bodies)
        if isinstance(effect, CommandDevices):
            self.book.created(effect, str(entry.target), int(more["seq"]), _ms(entry), more.get("refused"))

    def _replay_sent(self, entry: LedgerEntry) -> None:
        if (command := self._command_of(entry)) is not None:
            command.sent_ms = _ms(entry)

    def _replay_answer(self, entry: LedgerEntry) -> None:
        command = self._command_of(entry)
        if command is not None and entry.device_id is not None:
            said = entry.kind if entry.kind != "acked" else ("would_do" if entry.mode == "drill" else "done")
            self.book.answered(command, entry.device_id, said, entry.reason, _ms(entry))

    def _replay_sensed(self, entry: LedgerEntry) -> None:
        if entry.device_id is not None and entry.reason is not None:
            self.book.sensed(entry.device_id, entry.reason, _ms(entry))

    def _replay_expired(self, entry: LedgerEntry) -> None:
        if (command := self._command_of(entry)) is not None:
            self.book.close(command)

    def _replay_retried(self, entry: LedgerEntry) -> None:
        if (command := self._command_of(entry)) is not None:
            command.seq = int(orjson.loads(entry.detail or "{}")["seq"])

    def _replay_other(self, entry: LedgerEntry) -> None:
        """A state that was taken over from a holder with another ledger."""
        if entry.action != "adopted":
            return
        found = self._bodies.whole(entry.detail or "{}")
        self.adopt(found)

    def adopt(self, found: dict[str, Any]) -> None:
        self.state = EngineState.from_json(found["state"])
        self.book = Book.from_json(found["book"], self.book.register)
        self.runs = RunBook.from_json(found["runs"], self.program)
        self.runs.follow(self.state)

    def handover(self, *, open_only: bool = False) -> dict[str, Any]:
        """What a snapshot holds, and what a holder hands on: the engine's state, the book, the runs."""
        book = self.book.to_json(open_only=open_only)
        return {"state": self.state.to_json(), "book": book, "runs": self.runs.to_json()}

    def _set(self, state: EngineState) -> None:
        self.state = state
        self.runs.follow(state)

    def _command_of(self, entry: LedgerEntry) -> Command | None:
        return self.book.commands.get(entry.command_id or "")


def _is_same(one: EngineState, other: EngineState) -> bool:
    """Nothing but the time has passed. The engine copies only the parts that it writes."""
    return one.program == other.program and all(getattr(one, part) is getattr(other, part) for part in PARTS)


def _ms(entry: LedgerEntry) -> int:
    return journal.milliseconds(entry.at)


_REPLAYS: dict[str, Callable[[Core, LedgerEntry], None]] = {
    "seen": Core._replay_seen,
    "created": Core._replay_created,
    "sent": Core._replay_sent,
    "acked": Core._replay_answer,
    "refused": Core._replay_answer,
    "failed": Core._replay_answer,
    "sensed": Core._replay_sensed,
    "expired": Core._replay_expired,
    "retried": Core._replay_retried,
    "other": Core._replay_other,
}


def utc_now() -> datetime:
    return datetime.now(UTC)
