"""What the engine remembers: immutable, and JSON at any moment. Nothing in it grows for ever (see `Past`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter

from actuation.scenario.effect import Mode

Phase = Literal["waiting", "active", "ending"]
"""waiting: for a confirmation. active: holds. ending: over, but something is still owed (a lock)."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What a run began on one target, and how that ends. due: when the end is owed; None while the run holds.

    n: how often it was commanded. end_on: reasons after which the end is owed. kept_until: so long the device was told
    to wait, where another run keeps it from ending.
    """

    step: str
    index: int
    zone_id: str | None
    device_id: str | None
    kinds: tuple[str, ...]
    end_action: str | None
    end_text: str | None
    end_after_s: float
    end_on: tuple[str, ...]
    n: int = 1
    repeat_at: datetime | None = None
    due: datetime | None = None
    kept_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Todo:
    """A step that comes later."""

    index: int
    at: datetime


@dataclass(frozen=True)
class Run:
    """One activation of a scenario. at, last_at: by the events' clocks; started_at and all timers: by the engine's.

    settled_at: ends that were due by then and are still here wait for another run to let go, not for time.
    """

    run_id: str
    scenario: str
    version: str
    subject: str
    mode: Mode
    phase: Phase
    event_kind: str
    event_key: str
    keys: tuple[str, ...]
    at: datetime
    last_at: datetime
    started_at: datetime
    zones: tuple[str, ...] = ()
    site_id: str | None = None
    device_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    restricted: bool = False
    guards: bool = False
    people: tuple[str, ...] = ()
    confirm_by: datetime | None = None
    ends_at: datetime | None = None
    ends_why: str = "max_hold"
    expires_at: datetime | None = None
    quiet_at: datetime | None = None
    todo: tuple[Todo, ...] = ()
    holds: tuple[Hold, ...] = ()
    published: tuple[tuple[str, str], ...] = ()
    incidents: tuple[str, ...] = ()
    ended_at: datetime | None = None
    ended_why: str | None = None
    settled_at: datetime | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None

    def but(self, **changes: Any) -> Run:
        """A copy with these fields changed; `dataclasses.replace`, at a tenth of its cost: the millisecond path.

        That is why Run has no slots: its fields are copied as one dictionary.
        """
        if not changes.keys() <= _FIELDS:
            raise TypeError(f"a run has no {', '.join(sorted(changes.keys() - _FIELDS))}")
        run = object.__new__(Run)
        values = run.__dict__
        values.update(self.__dict__)
        values.update(changes)
        return run


_FIELDS = frozenset(each.name for each in fields(Run))


@dataclass(frozen=True, slots=True)
class Past:
    """What is left of a run that is over, so that its event acts once; dropped at forget_at."""

    run_id: str
    scenario: str
    subject: str
    mode: Mode
    alerts: tuple[str, ...]
    last_at: datetime
    ended_at: datetime
    ended_why: str
    cool_until: datetime | None
    forget_at: datetime


@dataclass(frozen=True, slots=True)
class Replaced:
    """An alert that a later one updated or cancelled, should it come late."""

    by_sent: datetime
    mode: Mode
    forget_at: datetime


@dataclass(frozen=True, slots=True)
class Since:
    """A value of the city state that has been past its threshold. due: when it counts; None: it has counted."""

    at: datetime
    key: str
    due: datetime | None
    body: Mapping[str, Any]
    trust: str = "none"
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineState:
    """runs by run_id; open, past: "scenario|subject|mode" → run_id of the run that holds it, and the last that did."""

    now: datetime | None = None
    program: str = ""
    runs: Mapping[str, Run] = field(default_factory=dict)
    open: Mapping[str, str] = field(default_factory=dict)
    past: Mapping[str, Past] = field(default_factory=dict)
    replaced: Mapping[str, Replaced] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    since: Mapping[str, Since] = field(default_factory=dict)
    schedule: Mapping[str, datetime] = field(default_factory=dict)
    due_at: datetime | None = None

    def to_json(self) -> str:
        """The same state gives the same text, whatever the order in which it came about."""
        return _STATE.dump_json(_sorted(self)).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> EngineState:
        """The state again; ValueError when it is not one."""
        return _STATE.validate_json(text)


def _sorted(state: EngineState) -> EngineState:
    named = ("runs", "open", "past", "replaced", "values", "since", "schedule")
    return EngineState(
        now=state.now,
        program=state.program,
        due_at=state.due_at,
        **{name: dict(sorted(getattr(state, name).items())) for name in named},
    )


_STATE = TypeAdapter(EngineState)
