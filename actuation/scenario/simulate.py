"""What would have happened: events through the engine on a clock of their own, every effect a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from actuation.scenario.effect import CommandDevices, Effect, NotifyPeople, OpenTask, PublishCap, RaiseIncident
from actuation.scenario.event import Event
from actuation.scenario.program import Program
from actuation.scenario.state import EngineState

LONGEST = timedelta(days=8)
"""After the last event; no run holds longer than its own limit."""


@dataclass(frozen=True, slots=True)
class Line:
    """One moment of the timeline: an event that came (effects may be none), or a timer (event.kind is tick)."""

    at: datetime
    event: Event
    effects: tuple[Effect, ...]


def simulate(program: Program, events: Iterable[Event], state: EngineState | None = None) -> Iterator[Line]:
    """Events by their own time, timers between them, and after the last until every run is over.

    Ticks without an effect, and times of schedules after the last event, are left out.
    """
    ordered: Sequence[Event] = sorted(events, key=lambda event: (event.at, event.key))
    if not ordered:
        return
    state = state or program.begin(ordered[0].at)
    for event in ordered:
        while (due := program.next_due(state)) is not None and due < event.at:
            state, effects = program.step(state, tick(due), due)
            if effects:
                yield Line(due, tick(due), effects)
        state, effects = program.step(state, event, event.at)
        yield Line(event.at, event, effects)
    end = ordered[-1].at + LONGEST
    state = replace(state, schedule={}, due_at=_due(state))
    while (due := program.next_due(state)) is not None and due <= end and state.runs:
        state, effects = program.step(state, tick(due), due)
        state = replace(state, schedule={}, due_at=_due(state))
        if effects:
            yield Line(due, tick(due), effects)


def tick(at: datetime) -> Event:
    return Event("tick", f"tick@{at.isoformat()}", at)


def said(effect: Effect) -> dict[str, Any]:
    """One effect as a row: what, mode, target, detail, until."""
    row: dict[str, Any] = {
        "scenario": effect.cause.scenario, "run": effect.cause.run_id[:8], "step": effect.cause.step,
        "mode": effect.mode, "id": effect.effect_id,
    }  # fmt: skip
    if isinstance(effect, CommandDevices):
        target = effect.target.device_id or f"{effect.target.zone_id}/{'+'.join(effect.target.kinds)}"
        more = effect.text or (f"{effect.level} %" if effect.level else "")
        row |= {"what": effect.action, "target": target, "detail": more, "until": effect.expires_at}
    elif isinstance(effect, NotifyPeople):
        row |= {"what": "notify", "target": effect.audience, "detail": effect.template}
    elif isinstance(effect, PublishCap):
        row |= {"what": "publish_cap", "target": effect.alert["status"], "detail": effect.alert["msgType"]}
    elif isinstance(effect, RaiseIncident):
        row |= {"what": f"incident {effect.incident['status']}", "target": effect.incident["subject"],
                "detail": effect.incident["title"]}  # fmt: skip
    elif isinstance(effect, OpenTask):
        row |= {"what": "task", "target": effect.complaint["service_code"], "detail": effect.complaint["description"]}
    return row


def _due(state: EngineState) -> datetime | None:
    """When the runs themselves are due: schedules are another story."""
    return min((run.due_at for run in state.runs.values() if run.due_at is not None), default=None)
