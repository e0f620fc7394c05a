"""Gorodok's own scenarios, and short ways to make events."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actuation.scenario.effect import CommandDevices, Effect
from actuation.scenario.event import Event, Trust
from actuation.scenario.load import load_scenarios
from actuation.scenario.program import Program
from actuation.scenario.state import EngineState
from city.profile import City, load_city
from city.settings import Settings

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def city() -> City:
    return load_city(Settings(city="gorodok"))


@pytest.fixture(scope="session")
def program(city: City) -> Program:
    return load_scenarios(city)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def reference(identifier: str, sent_s: float = 0, sender: str = "edds") -> str:
    return f"{sender},{identifier},{at(sent_s).isoformat()}"


def alert(
    identifier: str = "a1",
    sent_s: float = 0,
    *,
    status: str = "Actual",
    kind: str = "Alert",
    refers: str | None = None,
    zones: Sequence[str] = ("dma-1",),
    trust: Trust = "verified",
    event: str = "Ракетная опасность",
    lasts_s: float | None = 3_600,
    sender: str = "edds",
    **info: Any,
) -> Event:
    block = {
        "language": "ru-RU", "category": ["Safety"], "event": event, "urgency": "Immediate", "severity": "Extreme",
        "certainty": "Likely", "headline": f"Внимание: {event}", **info,
    }  # fmt: skip
    if lasts_s is not None:
        block["expires"] = at(sent_s + lasts_s).isoformat()
    body = {
        "identifier": identifier, "sender": sender, "sent": at(sent_s).isoformat(), "status": status, "msgType": kind,
        "scope": info.pop("scope", "Public"), "references": refers, "info": [block],
    }  # fmt: skip
    return Event("alert", reference(identifier, sent_s, sender), at(sent_s), body, tuple(zones), trust)


def press(
    what: str, scenario: str, by: str, seconds: float, zones: Sequence[str] = ("dma-1",), trust: Trust = "verified"
) -> Event:
    body = {"scenario": scenario, "press": what}
    return Event("button", f"{by}-{what}-{seconds}", at(seconds), body, tuple(zones), trust, by)


def radar(
    seconds: float, distance_m: float = 1.0, direction: str = "toward", site: str = "01", trust: Trust = "verified"
) -> Event:
    reading = {"distance_m": distance_m, "speed_m_s": 1.3, "direction": direction}
    body = {"device": f"radar-crossing-{site}", "reading": reading, "n": round(seconds * 1000)}
    return Event("device_message", f"radar-{site}-{seconds}", at(seconds), body, (), trust)


def tick(seconds: float) -> Event:
    return Event("tick", f"tick-{seconds}", at(seconds))


class Run:
    """A program on a state that moves on."""

    def __init__(self, program: Program, seconds: float = -1) -> None:
        self.program = program
        self.state = program.begin(at(seconds))

    def give(self, event: Event, seconds: float | None = None) -> tuple[Effect, ...]:
        now = event.at if seconds is None else at(seconds)
        self.state, effects = self.program.step(self.state, event, now)
        return effects

    def wait(self, seconds: float) -> tuple[Effect, ...]:
        """Time passes until then; all that timers do."""
        found: list[Effect] = []
        while (due := self.program.next_due(self.state)) is not None and due <= at(seconds):
            self.state, effects = self.program.step(self.state, Event("tick", f"t{due}", due), due)
            found += effects
        return (*found, *self.give(tick(seconds)))


@pytest.fixture
def run(program: Program) -> Run:
    return Run(program)


def commands(effects: Sequence[Effect], *actions: str) -> list[tuple[str, str]]:
    """(action, zone or device) of the commands among them."""
    found = [one for one in effects if isinstance(one, CommandDevices)]
    return [(one.action, str(one.target.zone_id or one.target.device_id)) for one in found
            if not actions or one.action in actions]  # fmt: skip


def names(effects: Sequence[Effect]) -> list[str]:
    return list(itertools.chain(type(one).__name__ for one in effects))


def saved(state: EngineState) -> EngineState:
    return EngineState.from_json(state.to_json())
