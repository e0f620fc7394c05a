"""Runs of scenarios as people see them: what the engine's state says of active ones, and what is left of ended ones."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from actuation.reflex.shapes import CommandRow, RunRow
from actuation.scenario.program import Program
from actuation.scenario.state import EngineState, Run

KEEP = 1_000
"""Ended runs that the pages can look back at; all of them are in the lake."""


class RunBook:
    """Follows the engine's state; to_json is part of the snapshot."""

    def __init__(self, program: Program) -> None:
        self._titles = {each.scenario: (each.title.ru, each.title.en) for each in program.scenarios.values()}
        self._rows: dict[str, RunRow] = {}
        self._seen: Any = None
        self._ended: deque[str] = deque()

    def follow(self, state: EngineState) -> None:
        """Cheap when no run changed."""
        if state.runs is self._seen:
            return
        before, self._seen = self._seen or {}, state.runs
        for run_id, run in state.runs.items():
            if before.get(run_id) is not run:
                self._rows[run_id] = self._row(run)
        for run_id in before:
            if run_id not in state.runs:
                self._end(run_id, state)

    def row(self, run_id: str) -> RunRow | None:
        return self._rows.get(run_id)

    def rows(self, *, past: bool, since: datetime | None = None) -> list[RunRow]:
        """Newest first."""
        active = self._seen or {}
        found = [row for run_id, row in self._rows.items() if (run_id not in active) == past]
        if since is not None:
            found = [row for row in found if datetime.fromisoformat(row["ended_at"] or row["started_at"]) >= since]
        return sorted(found, key=lambda row: row["started_at"], reverse=True)

    def _end(self, run_id: str, state: EngineState) -> None:
        row, past = self._rows.get(run_id), state.past.get(run_id)
        if row is None:
            return
        ended = past.ended_at if past is not None else state.now
        row["ended_at"] = ended.isoformat() if ended is not None else None
        row["waiting_confirmation"] = False
        self._ended.append(run_id)
        while len(self._ended) > KEEP:
            self._rows.pop(self._ended.popleft(), None)

    def _row(self, run: Run) -> RunRow:
        ru, en = self._titles.get(run.scenario, (run.scenario, run.scenario))
        fields = run.fields
        headline = fields.get("headline_ru") or fields.get("headline_en") or fields.get("title") or ru
        people = run.people
        commands: list[CommandRow] = []
        return {
            "run_id": run.run_id,
            "scenario": run.scenario,
            "title_ru": ru,
            "title_en": en,
            "mode": run.mode,
            "started_at": run.started_at.isoformat(),
            "event_key": run.event_key,
            "headline": str(headline),
            "zones": list(run.zones),
            "waiting_confirmation": run.phase == "waiting",
            "ends_at": _text(run.ends_at),
            "ended_at": _text(run.ended_at),
            "started_by": people[0] if people else None,
            "commands": commands,
        }

    def to_json(self) -> list[RunRow]:
        return list(self._rows.values())

    @classmethod
    def from_json(cls, rows: list[RunRow], program: Program) -> RunBook:
        book = cls(program)
        book._rows = {row["run_id"]: row for row in rows}
        book._ended = deque(row["run_id"] for row in rows if row["ended_at"])
        return book


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
