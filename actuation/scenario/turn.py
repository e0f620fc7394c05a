"""One step of the engine at work: a copy on write of the state, and the effects so far."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from actuation.scenario.effect import Effect
from actuation.scenario.state import EngineState, Past, Run

PARTS = ("runs", "open", "past", "replaced", "values", "since", "schedule")


class Turn:
    """Reads see what was written before; `finish` gives the new state, or the old one with a new `now`."""

    def __init__(self, state: EngineState, now: datetime) -> None:
        self.state = state
        self.now = now if state.now is None or now >= state.now else state.now
        self.effects: list[Effect] = []
        self.freed = False
        """A run let go of something: others may have waited for it."""
        self._copies: dict[str, dict[str, Any]] = {}

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

    def write(self, part: str) -> dict[str, Any]:
        if part not in self._copies:
            self._copies[part] = dict(getattr(self.state, part))
        return self._copies[part]

    def put(self, run: Run) -> Run:
        run = run.but(due_at=_due(run))
        self.write("runs")[run.run_id] = run
        slot = slot_of(run.scenario, run.subject, run.mode)
        if run.phase == "ending":
            if self.open.get(slot) == run.run_id:
                del self.write("open")[slot]
        elif self.open.get(slot) != run.run_id:
            self.write("open")[slot] = run.run_id
        return run

    def drop(self, run: Run, past: Past) -> None:
        self.write("runs").pop(run.run_id, None)
        slot = slot_of(run.scenario, run.subject, run.mode)
        if self.open.get(slot) == run.run_id:
            del self.write("open")[slot]
        old = [name for name, one in self.past.items() if one.forget_at <= self.now]
        kept = self.write("past")
        for name in old:
            del kept[name]
        if slot not in kept or kept[slot].last_at <= past.last_at:
            kept[slot] = past
        self.freed = True

    def finish(self, program: str) -> tuple[EngineState, tuple[Effect, ...]]:
        if not self._copies and program == self.state.program:
            return replace(self.state, now=self.now), tuple(self.effects)
        parts = {part: self._copies.get(part, getattr(self.state, part)) for part in PARTS}
        due = min(
            (
                *(run.due_at for run in parts["runs"].values() if run.due_at is not None),
                *(since.due for since in parts["since"].values() if since.due is not None),
                *parts["schedule"].values(),
            ),
            default=None,
        )
        return EngineState(now=self.now, program=program, due_at=due, **parts), tuple(self.effects)


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
