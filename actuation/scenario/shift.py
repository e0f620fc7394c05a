"""A clock that was wrong and has been put back: the engine's timers move with it, or a lamp would burn until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from actuation.scenario.state import EngineState, Run


def shifted(state: EngineState, by: timedelta) -> EngineState:
    """All times of the engine's own clock and of what is near it moved; an alert's sent and expires stay."""
    runs = {run_id: _run(run, by) for run_id, run in state.runs.items()}
    since = {name: replace(one, due=_moved(one.due, by)) for name, one in state.since.items()}
    past = {name: one if one.alerts else replace(one, last_at=one.last_at + by) for name, one in state.past.items()}
    due_at = _moved(state.due_at, by)
    return replace(
        state, now=_moved(state.now, by), runs=runs, past=past, since=since, schedule={}, program="", due_at=due_at
    )


def _run(run: Run, by: timedelta) -> Run:
    holds = tuple(replace(one, repeat_at=_moved(one.repeat_at, by), due=_moved(one.due, by)) for one in run.holds)
    return run.but(
        at=run.at if run.alerts else run.at + by,
        last_at=run.last_at if run.alerts else run.last_at + by,
        started_at=run.started_at + by,
        confirm_by=_moved(run.confirm_by, by),
        ends_at=run.ends_at if run.ends_why == "expired" else _moved(run.ends_at, by),
        quiet_at=_moved(run.quiet_at, by),
        todo=tuple(replace(one, at=one.at + by) for one in run.todo),
        holds=holds,
        ended_at=_moved(run.ended_at, by),
        settled_at=_moved(run.settled_at, by),
        due_at=_moved(run.due_at, by),
    )


def _moved(at: datetime | None, by: timedelta) -> datetime | None:
    return at + by if at is not None else None
