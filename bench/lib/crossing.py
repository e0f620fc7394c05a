"""The crossing's scenario against a simulated street: the engine itself, a radar's messages, lamps with their delay."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from actuation.scenario.effect import CommandDevices, Effect
from actuation.scenario.event import Event
from actuation.scenario.load import load_scenarios
from actuation.scenario.program import Program
from city.profile import load_city
from city.settings import Settings
from simulator.crossing.people import CROSSES, SHARES, Person, people
from simulator.crossing.radar import Radar, messages

START = datetime(2026, 11, 23, tzinfo=UTC) - timedelta(hours=3)
"""Midnight of a Monday in Moscow."""
DELAY_S = 0.15
"""From the radar's look to light: message, engine, command, lamp."""
SITE = "crossing-01"


@dataclass
class Measured:
    """lit: intervals with light, seconds since the start, in order."""

    hours: float
    people: list[Person]
    lit: list[tuple[float, float]] = field(default_factory=list)
    messages: int = 0

    def is_lit(self, at_s: float) -> bool:
        at = bisect.bisect_right(self.lit, (at_s, float("inf"))) - 1
        return at >= 0 and self.lit[at][0] <= at_s <= self.lit[at][1]

    def lit_before(self, kind: str | None = None) -> tuple[int, int]:
        """(lit before the first step off the kerb, all who stepped off) of those who cross."""
        stepped = [one for one in self.people if one.steps_off_s is not None and one.kind in CROSSES]
        stepped = [one for one in stepped if kind is None or one.kind == kind]
        return sum(self.is_lit(float(one.steps_off_s or 0)) for one in stepped), len(stepped)

    @property
    def false_intervals(self) -> list[tuple[float, float]]:
        """Light in which nobody who crosses was on the carriageway."""
        spans = [(float(one.steps_off_s or 0), float(one.clear_s or 0)) for one in self._crossing]
        return [each for each in self.lit if not any(off <= each[1] and clear >= each[0] for off, clear in spans)]

    @property
    def after_empty_s(self) -> list[float]:
        """Of each right lighting: from the last foot off the carriageway to the end of the light."""
        found = []
        false = set(self.false_intervals)
        for begin, end in self.lit:
            if (begin, end) in false:
                continue
            clear = [float(one.clear_s or 0) for one in self._crossing
                     if (one.steps_off_s or 0) <= end and (one.clear_s or 0) >= begin]  # fmt: skip
            found.append(max(0.0, end - max(clear)))
        return found

    def caused_by(self, begin: float) -> str:
        """Whom a false lighting was for: who was there when it began; a ghost where nobody was."""
        there = [one for one in self.people if one.from_s <= begin <= one.until_s + 1]
        near = sorted(there, key=lambda one: min(abs(one.where(begin)[0]), abs(one.where(begin)[0] - 7)))
        return near[0].kind if near else "ghost"

    @property
    def _crossing(self) -> list[Person]:
        return [one for one in self.people if one.steps_off_s is not None and one.kind in CROSSES]


def measure(
    hours: float, seed: int = 1, *, radar: Radar | None = None, from_hour: int = 0, program: Program | None = None,
    per_hour: float = 40.0,
) -> Measured:  # fmt: skip
    """The city's own smart_crossing.yaml on a simulated street."""
    program = program or crossing_program()
    found = list(people(seed, hours, per_hour, from_hour))
    measured = Measured(hours, found)
    start = START + timedelta(hours=from_hour)
    state, on_since = program.begin(start), None

    def note(effects: Sequence[Effect], now: datetime) -> None:
        nonlocal on_since
        at_s = (now - start).total_seconds() + DELAY_S
        for one in effects:
            if isinstance(one, CommandDevices) and one.action == "light_on" and on_since is None:
                on_since = at_s
            elif isinstance(one, CommandDevices) and one.action == "light_off" and on_since is not None:
                measured.lit.append((on_since, at_s))
                on_since = None

    for message in messages(found, seed, radar):
        now = start + timedelta(seconds=message.at_s)
        while (due := program.next_due(state)) is not None and due <= now:
            state, effects = program.step(state, Event("tick", "t", due), due)
            note(effects, due)
        body = {"device": f"radar-{SITE}", "reading": message.reading}
        event = Event("device_message", f"r{message.at_s}", now, body, (), "verified")
        state, effects = program.step(state, event, now)
        note(effects, now)
        measured.messages += 1
    while (due := program.next_due(state)) is not None and state.runs:
        state, effects = program.step(state, Event("tick", "t", due), due)
        note(effects, due)
    return measured


def crossing_program() -> Program:
    """Only the scenario smart_crossing, as the controller at the edge has it."""
    whole = load_scenarios(load_city(Settings(city="gorodok")))
    return Program.of([whole.scenarios["smart_crossing"]], whole.town)


KINDS = [kind for kind, _ in SHARES if kind in CROSSES]
