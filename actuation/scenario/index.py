"""What the engine looks up in its state, kept up to date from step to step instead of searched for at each.

Derived from the state alone, and never part of it: Program keeps the index of the newest state that it made. A step
from any other state (a replay, a test, an older one) builds its own, at the cost of one walk over the runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any

from actuation.scenario.state import EngineState, Hold, Past, Run
from actuation.scenario.town import Town

SLACK = 64
"""Of a heap: so many entries more than twice the runs may be out of date before they are thrown out."""


class Index:
    """owed: runs with an end that is due some time. Entries of the heaps may be out of date: whoever reads checks."""

    def __init__(self, state: EngineState, town: Town) -> None:
        self._town = town
        self._runs: Mapping[str, Run] = state.runs
        self._past: Mapping[str, Past] = state.past
        self.owed: set[str] = set()
        self._holders: dict[str, set[str]] = {}
        self._due: list[tuple[datetime, str]] = []
        self._forget = [(past.forget_at, slot) for slot, past in state.past.items()]
        heapify(self._forget)
        for run in state.runs.values():
            self.put(None, run)

    def fits(self, state: EngineState) -> bool:
        """Whether the index is of this state."""
        return self._runs is state.runs and self._past is state.past

    def belongs_to(self, state: EngineState) -> None:
        self._runs, self._past = state.runs, state.past

    def put(self, before: Run | None, run: Run) -> None:
        """A run as it is now. before: as the index knows it."""
        if run.due_at is not None and (before is None or before.due_at != run.due_at):
            heappush(self._due, (run.due_at, run.run_id))
        if before is not None and before.holds is run.holds and before.zones is run.zones and before.phase == run.phase:
            return
        old = self._keys(before) if before is not None else set()
        new = self._keys(run)
        if old != new:
            self._forget_keys(run.run_id, old - new)
            for key in new - old:
                self._holders.setdefault(key, set()).add(run.run_id)
        if any(hold.due is not None for hold in run.holds):
            self.owed.add(run.run_id)
        else:
            self.owed.discard(run.run_id)

    def drop(self, before: Run) -> None:
        self._forget_keys(before.run_id, self._keys(before))
        self.owed.discard(before.run_id)

    def _forget_keys(self, run_id: str, keys: set[str]) -> None:
        for key in keys:
            found = self._holders.get(key)
            if found is not None:
                found.discard(run_id)
                if not found:
                    del self._holders[key]

    def _keys(self, run: Run) -> set[str]:
        """Under which a run that may keep others' holds is found: see `holders`."""
        if run.phase == "ending" or run.mode == "shadow":
            return set()
        keys = {f"zone:{zone}" for zone in run.zones} if run.guards else set()
        for hold in run.holds:
            if hold.due is not None:
                continue
            if hold.device_id:
                keys.add(f"device:{hold.device_id}")
                keys.add(f"in:{self._zone_of(hold)}")
            else:
                keys.add(f"zone:{hold.zone_id}")
        return keys

    def holders(self, hold: Hold) -> list[str]:
        """Ids, in order, of all runs that could keep the hold from ending; some of them do not."""
        zone = self._zone_of(hold)
        keys = (f"zone:{zone}", f"device:{hold.device_id}" if hold.device_id else f"in:{zone}")
        found = [self._holders[key] for key in keys if key in self._holders]
        return sorted(set().union(*found)) if found else []

    def _zone_of(self, hold: Hold) -> str | None:
        if hold.zone_id:
            return hold.zone_id
        device = self._town.devices.get(hold.device_id or "")
        return device.zone_id if device else None

    # time

    def first_due(self, runs: Mapping[str, Run]) -> Run | None:
        """The run that time changes next; of two at one time the one whose id comes first."""
        due = self._due
        if len(due) > 2 * len(runs) + SLACK:
            due = self._due = [(run.due_at, run.run_id) for run in runs.values() if run.due_at is not None]
            heapify(due)
        while due:
            at, run_id = due[0]
            run = runs.get(run_id)
            if run is not None and run.due_at == at:
                return run
            heappop(due)
        return None

    def remember(self, slot: str, past: Past) -> None:
        heappush(self._forget, (past.forget_at, slot))

    def forgotten(self, past: Mapping[str, Any], now: datetime) -> set[str]:
        """Slots whose time to be remembered is over; each is told once."""
        over = set()
        while self._forget and self._forget[0][0] <= now:
            slot = heappop(self._forget)[1]
            found = past.get(slot)
            if found is not None and found.forget_at <= now:
                over.add(slot)
        return over
