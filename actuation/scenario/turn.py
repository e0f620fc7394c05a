"""One step of the engine at work: a copy on write of the state, and the effects so far."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from actuation.scenario.effect import Effect
from actuation.scenario.index import Index
from actuation.scenario.shards import Draft
from actuation.scenario.state import EngineState, Past, Run

PARTS = ("runs", "open", "past", "replaced", "values", "since", "schedule")
LARGE = ("runs", "open", "past")
"""Parts that grow with what happens; the others with the city's size."""


class Turn:
    """Reads see what was written before; `finish` gives the new state, or the old one with a new `now`."""

    def __init__(self, state: EngineState, now: datetime, index: Index) -> None:
        """index: of this state; it goes with the turn and fits the state that `finish` gives."""
        self.state, self.index = state, index
        self.now = now if state.now is None or now >= state.now else state.now
        self.effects: list[Effect] = []
        self.freed = False
        """A run let go of something: others may have waited for it."""
        self._copies: dict[str, MutableMapping[str, Any]] = {}

    @property
    def runs(self) -> Any:
        return self._copies.get("runs", self.state.runs)

    @property
    def open(self) -> Any:
        return self._copies.get("open", self.state.open)

    @property
    def past(self) -> Any:
        return self._copies.get("past", self.state.past)

    @property
    def replaced(self) -> Any:
        return self._copies.get("replaced", self.state.replaced)

    @property
    def values(self) -> Any:
        return self._copies.get("values", self.state.values)

    @property
    def since(self) -> Any:
        return self._copies.get("since", self.state.since)

    @property
    def schedule(self) -> Any:
        return self._copies.get("schedule", self.state.schedule)

    def write(self, part: str) -> MutableMapping[str, Any]:
        if part not in self._copies:
            before = getattr(self.state, part)
            self._copies[part] = Draft(before) if part in LARGE else dict(before)
        return self._copies[part]

    def put(self, run: Run) -> Run:
        run = run.but(due_at=_due(run))
        runs = self.write("runs")
        self.index.put(runs.get(run.run_id), run)
        runs[run.run_id] = run
        slot = slot_of(run.scenario, run.subject, run.mode)
        if run.phase == "ending":
            if self.open.get(slot) == run.run_id:
                del self.write("open")[slot]
        elif self.open.get(slot) != run.run_id:
            self.write("open")[slot] = run.run_id
        return run

    def drop(self, run: Run, past: Past) -> None:
        before = self.write("runs").pop(run.run_id, None)
        if before is not None:
            self.index.drop(before)
        slot = slot_of(run.scenario, run.subject, run.mode)
        if self.open.get(slot) == run.run_id:
            del self.write("open")[slot]
        self.forget()
        kept = self.write("past")
        if slot not in kept or kept[slot].last_at <= past.last_at:
            kept[slot] = past
            self.index.remember(slot, past)
        self.freed = True

    def forget(self) -> None:
        """Ended runs whose time to be remembered is over."""
        for slot in self.index.forgotten(self.past, self.now):
            del self.write("past")[slot]

    def finish(self, program: str) -> tuple[EngineState, tuple[Effect, ...]]:
        if not self._copies and program == self.state.program:
            return replace(self.state, now=self.now), tuple(self.effects)
        parts = {part: self._part(part) for part in PARTS}
        first = self.index.first_due(parts["runs"])
        due = min(
            (
                *((first.due_at,) if first is not None and first.due_at is not None else ()),
                *(since.due for since in parts["since"].values() if since.due is not None),
                *parts["schedule"].values(),
            ),
            default=None,
        )
        state = EngineState(now=self.now, program=program, due_at=due, **parts)
        self.index.belongs_to(state)
        return state, tuple(self.effects)

    def _part(self, part: str) -> Any:
        copy = self._copies.get(part)
        if copy is None:
            return getattr(self.state, part)
        return copy.frozen() if isinstance(copy, Draft) else copy


def slot_of(scenario: str, subject: str, mode: str) -> str:
    return f"{scenario}|{subject}|{mode}"


def _due(run: Run) -> datetime | None:
    """When time alone changes the run. A lock that is owed and blocked waits for a run, not for time: see `settle`."""
    if run.phase == "waiting":
        return _first(run.confirm_by, run.expires_at)
    if run.phase == "ending":
        return min(
            (hold.due for hold in run.holds if hold.due is not None and not _was_due(run, hold.due)), default=None
        )
    soonest = [todo.at for todo in run.todo]
    soonest += [hold.repeat_at for hold in run.holds if hold.repeat_at is not None]
    soonest += [at for at in (run.ends_at, run.quiet_at) if at is not None]
    soonest += [hold.due for hold in run.holds if hold.due is not None and not _was_due(run, hold.due)]
    return min(soonest, default=None)


def _was_due(run: Run, due: datetime) -> bool:
    return run.settled_at is not None and due <= run.settled_at


def _first(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)
