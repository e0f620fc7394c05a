"""What was commanded, answered and sensed: a fold over the ledger's lines, the same while running and after a restart.

Not thread-safe; the Runner holds a lock around it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from actuation.reflex.journal import milliseconds, moment
from actuation.reflex.register import Register
from actuation.reflex.shapes import CommandRow, DeviceRow
from actuation.scenario.effect import CommandDevices

KEEP_MS, KEEP = 7 * 86_400_000, 20_000
"""Ended commands are remembered so long; older ones are in the lake."""

Answered = tuple[str, str | None, int, float]
"""result, reason, when (ms), answer_ms."""


@dataclass(slots=True, eq=False)
class Command:
    """One command and who answered. unsent: the broker has not acknowledged it yet."""

    effect: CommandDevices
    target: str
    created_ms: int
    expires_ms: int
    expected: frozenset[str]
    seq: int
    sent_ms: int | None = None
    answers: dict[str, Answered] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: {"done": 0, "refused": 0, "failed": 0})
    delays: list[float] = field(default_factory=list)
    refused_to_send: str | None = None
    closed: bool = False
    clock_retries: int = 0
    template: Any = None
    """A line of the ledger about it, for the 10,000 that differ in four fields."""

    @property
    def command_id(self) -> str:
        return self.effect.effect_id

    def silent(self) -> frozenset[str]:
        return self.expected - self.answers.keys()

    def quantile(self, share: float) -> float | None:
        """Of the answers' delays, ms; None without answers."""
        if not self.delays:
            return None
        return round(self.delays[min(len(self.delays) - 1, int(len(self.delays) * share))], 2)

    def row(self) -> CommandRow:
        return {
            "command_id": self.command_id,
            "target": self.target,
            "action": self.effect.action,
            "mode": self.effect.mode,
            "created_at": moment(self.created_ms).isoformat(),
            "sent_at": None if self.sent_ms is None else moment(self.sent_ms).isoformat(),
            "expires_at": moment(self.expires_ms).isoformat(),
            "expected": len(self.expected),
            **self.counts,  # type: ignore[typeddict-item]
            "silent": len(self.silent()),
            "p50_ms": self.quantile(0.5),
            "p99_ms": self.quantile(0.99),
            "last_ms": self.quantile(1.0),
        }


@dataclass(slots=True)
class Last:
    """The newest of each of the three things about one device."""

    command_id: str | None = None
    sensed: str | None = None
    sensed_ms: int | None = None


class Book:
    """Commands by id and by run, and the last of each device."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.commands: dict[str, Command] = {}
        self._open: dict[str, Command] = {}
        self._ends: list[tuple[int, str]] = []
        self.by_run: dict[str, list[str]] = {}
        self.last: dict[str, Last] = {}

    def created(
        self, effect: CommandDevices, target: str, seq: int, now_ms: int, refused: str | None = None
    ) -> Command:
        """A new command; the devices that must answer are the register's."""
        shadow = effect.mode == "shadow" or refused is not None
        expected = frozenset() if shadow else self.register.expected(effect.target, effect.action)
        command = Command(effect, target, now_ms, milliseconds(effect.expires_at), expected, seq)
        command.refused_to_send = refused or ("shadow" if effect.mode == "shadow" else None)
        command.closed = command.refused_to_send is not None
        self.commands[command.command_id] = command
        if not command.closed:
            self._open[command.command_id] = command
            heappush(self._ends, (command.expires_ms, command.command_id))
        self.by_run.setdefault(effect.cause.run_id, []).append(command.command_id)
        for device_id in expected:
            self._last(device_id).command_id = command.command_id
        return command

    def answered(self, command: Command, device_id: str, result: str, reason: str | None, now_ms: int) -> float | None:
        """The delay in ms of a first answer, or of the one after a refusal; None of a repeat."""
        before = command.answers.get(device_id)
        if before is not None and (before[0] != "refused" or result == "refused"):
            return None
        delay = float(max(0, now_ms - command.created_ms))
        if before is not None:
            command.counts[_column(before[0])] -= 1
        command.answers[device_id] = (result, reason, now_ms, delay)
        if device_id in command.expected:
            command.counts[_column(result)] += 1
            insort(command.delays, delay)
        return delay

    def is_newest(self, command: Command, device_id: str) -> bool:
        """No later command to the device: only then may the command go to it again."""
        return self._last(device_id).command_id == command.command_id

    def sensed(self, device_id: str, state: str, now_ms: int) -> bool:
        """True when the state is another than the last."""
        last = self._last(device_id)
        changed = last.sensed != state
        last.sensed, last.sensed_ms = state, now_ms
        return changed

    def open(self) -> list[Command]:
        """Whose time has not ended, oldest first."""
        return list(self._open.values())

    def unsent(self) -> list[Command]:
        return [each for each in self._open.values() if each.sent_ms is None]

    def close(self, command: Command) -> None:
        command.closed = True
        self._open.pop(command.command_id, None)

    def due(self, now_ms: int) -> list[Command]:
        """Open commands whose time has ended."""
        found = []
        while self._ends and self._ends[0][0] <= now_ms:
            command = self._open.get(heappop(self._ends)[1])
            if command is not None:
                found.append(command)
        return found

    def next_due_ms(self) -> int | None:
        return self._ends[0][0] if self._ends else None

    def forget(self, now_ms: int) -> None:
        """Old ended commands, and all but the newest KEEP of them; the lake has every one."""
        closed = [each for each in self.commands.values() if each.closed]
        old = [each for each in closed if each.expires_ms < now_ms - KEEP_MS] or closed[: max(0, len(closed) - KEEP)]
        for each in old:
            del self.commands[each.command_id]
            ids = self.by_run.get(each.effect.cause.run_id, [])
            if each.command_id in ids:
                ids.remove(each.command_id)

    def of_run(self, run_id: str) -> list[Command]:
        return [self.commands[each] for each in self.by_run.get(run_id, ()) if each in self.commands]

    def device_rows(self, device_ids: Iterable[str], commands: Iterable[Command] | None = None) -> list[DeviceRow]:
        """commands: look at these alone (of one run), newest last; otherwise each device's newest command."""
        newest: dict[str, Command] = {}
        for command in commands or ():
            newest.update(dict.fromkeys(command.expected, command))
        rows = []
        for device_id in sorted(device_ids):
            last = self.last.get(device_id) or Last()
            found = newest.get(device_id) if commands is not None else self.commands.get(last.command_id or "")
            rows.append(self._device_row(device_id, last, found))
        return rows

    def _device_row(self, device_id: str, last: Last, command: Command | None) -> DeviceRow:
        place = self.register.places[device_id]
        answer = command.answers.get(device_id) if command is not None else None
        return {
            "device_id": device_id,
            "kind": place.kind,
            "zone_id": place.zone_id,
            "name_ru": place.name_ru,
            "name_en": place.name_en,
            "address": place.address,
            "contact": place.contact,
            "latitude": place.latitude,
            "longitude": place.longitude,
            "command_id": command.command_id if command else None,
            "mode": command.effect.mode if command else None,
            "commanded": command.effect.action if command else None,
            "commanded_at": moment(command.created_ms).isoformat() if command else None,
            "answered": answer[0] if answer else None,
            "answered_at": moment(answer[2]).isoformat() if answer else None,
            "answer_ms": answer[3] if answer else None,
            "reason": answer[1] if answer else None,
            "sensed": last.sensed,
            "sensed_at": None if last.sensed_ms is None else moment(last.sensed_ms).isoformat(),
        }

    def _last(self, device_id: str) -> Last:
        found = self.last.get(device_id)
        if found is None:
            found = self.last[device_id] = Last()
        return found

    def to_json(self, *, open_only: bool = False) -> dict[str, Any]:
        """For the snapshot; `from_json` gives the same book. open_only: what another machine needs to go on."""
        from actuation.reflex.journal import effect_json

        commands = [
            {
                "effect": effect_json(each.effect),
                "target": each.target,
                "created_ms": each.created_ms,
                "seq": each.seq,
                "sent_ms": each.sent_ms,
                "refused": each.refused_to_send,
                "closed": each.closed,
                "answers": each.answers,
            }
            for each in (self._open if open_only else self.commands).values()
        ]
        sensed = {key: [each.sensed, each.sensed_ms] for key, each in self.last.items() if each.sensed is not None}
        return {"commands": commands, "sensed": sensed}

    @classmethod
    def from_json(cls, found: Mapping[str, Any], register: Register) -> Book:
        from actuation.reflex.journal import effect_of

        book = cls(register)
        for one in found["commands"]:
            effect = effect_of(one["effect"])
            assert isinstance(effect, CommandDevices)
            command = book.created(effect, one["target"], one["seq"], one["created_ms"], one["refused"])
            command.sent_ms = one["sent_ms"]
            if one["closed"]:
                book.close(command)
            for device_id, (result, reason, at_ms, _) in one["answers"].items():
                book.answered(command, device_id, result, reason, at_ms)
        for device_id, (state, at_ms) in found["sensed"].items():
            book.sensed(device_id, state, at_ms)
        return book


def _column(result: str) -> str:
    return "done" if result in ("done", "would_do") else result
