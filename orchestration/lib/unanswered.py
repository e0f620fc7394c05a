"""Commands without an answer: sent again, then handed to a person with the reason that each device gave.

A pure decision over what the reflex process tells (its API's rows), what was done before (the cursor), and the clock.
The retry itself is the reflex process's: only it signs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from actuation.reflex.shapes import DeviceRow, RunRow
from ingest.contracts.incident import Incident

ANSWER_S = 5.0
"""A device has so long to answer an attempt."""
ATTEMPTS = 3
"""Tries in all, then a person is told."""
TRY_AGAIN = frozenset({"clock", "not_yet", "sequence"})
"""Refusals that pass by themselves: a device that had no time yet hears the next beacon within 5 s."""
DONE = frozenset({"done", "would_do"})
LISTED = 40
"""Devices that an incident's text names."""
TO = "duty"


class Tried(BaseModel):
    """Attempts of one command so far, the first included; last_s: when the last was, Unix seconds."""

    model_config = ConfigDict(extra="forbid")

    attempts: int = 1
    last_s: float


class Known(BaseModel):
    """The sensor's cursor. escalated: run_id → devices that a person was told of."""

    model_config = ConfigDict(extra="forbid")

    tried: dict[str, Tried] = {}
    escalated: dict[str, list[str]] = {}


class Retry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    command_id: str
    device_ids: list[str]
    attempt: int


class Escalation(BaseModel):
    """incident: JSON text of the contract, told once more each time another device joins."""

    model_config = ConfigDict(extra="forbid")

    command_id: str
    device_ids: list[str]
    incident: str


@dataclass(slots=True)
class Decision:
    known: Known
    retries: list[Retry] = field(default_factory=list)
    escalations: list[Escalation] = field(default_factory=list)


def decide(runs: Sequence[RunRow], devices: Mapping[str, Sequence[DeviceRow]], known: Known, now: datetime) -> Decision:
    """runs: active ones and those that ended lately; devices: of each run, each with its newest command of that run."""
    decision = Decision(
        Known(
            tried={key: value for key, value in known.tried.items() if key in _ids(runs)},
            escalated=dict(known.escalated),
        )
    )
    for run in runs:
        _decide_run(run, devices.get(run["run_id"], ()), decision, now)
    return decision


def _decide_run(run: RunRow, rows: Iterable[DeviceRow], decision: Decision, now: datetime) -> None:
    commands = {each["command_id"]: each for each in run["commands"]}
    waiting: dict[str, list[DeviceRow]] = defaultdict(list)
    for row in rows:
        if row["command_id"] in commands and row["answered"] not in DONE:
            waiting[str(row["command_id"])].append(row)
    hopeless: list[DeviceRow] = []
    for command_id, silent in waiting.items():
        command = commands[command_id]
        created = datetime.fromisoformat(command["created_at"])
        tried = decision.known.tried.get(command_id) or Tried(last_s=created.timestamp())
        over = run["ended_at"] is not None or datetime.fromisoformat(command["expires_at"]) <= now
        again = [row for row in silent if _may_answer(row)]
        hopeless += [row for row in silent if not _may_answer(row)]
        if over or (tried.attempts >= ATTEMPTS and now.timestamp() - tried.last_s >= ANSWER_S):
            hopeless += again
        elif again and tried.attempts < ATTEMPTS and now.timestamp() - tried.last_s >= ANSWER_S:
            tried = Tried(attempts=tried.attempts + 1, last_s=now.timestamp())
            ids = sorted(row["device_id"] for row in again)
            decision.retries.append(Retry(command_id=command_id, device_ids=ids, attempt=tried.attempts))
        decision.known.tried[command_id] = tried
    _escalate(run, hopeless, decision, now)


def _may_answer(row: DeviceRow) -> bool:
    return row["answered"] is None or (row["answered"] == "refused" and row["reason"] in TRY_AGAIN)


def _escalate(run: RunRow, rows: Sequence[DeviceRow], decision: Decision, now: datetime) -> None:
    told = set(decision.known.escalated.get(run["run_id"], ()))
    fresh = [row for row in rows if row["device_id"] not in told]
    if not fresh:
        return
    decision.known.escalated[run["run_id"]] = sorted(told | {row["device_id"] for row in fresh})
    text = incident(run, rows, now).model_dump_json(exclude_none=True)
    by_command: dict[str, list[str]] = defaultdict(list)
    for row in fresh:
        by_command[str(row["command_id"])].append(row["device_id"])
    for command_id, ids in sorted(by_command.items()):
        decision.escalations.append(Escalation(command_id=command_id, device_ids=sorted(ids), incident=text))


def incident(run: RunRow, rows: Sequence[DeviceRow], now: datetime) -> Incident:
    """One incident a run, with what a person needs who goes there: device, address, contact, the device's reason."""
    lines = [
        f"{row['device_id']}: {row['reason'] or 'молчит / silent'}; {row['address'] or '—'}; {row['contact'] or '—'}"
        for row in sorted(rows, key=lambda row: (row["address"] or "", row["device_id"]))
    ]
    more = [f"… ещё / more: {len(lines) - LISTED}"] if len(lines) > LISTED else []
    drill = "Учение · Drill: " if run["mode"] == "drill" else ""
    return Incident(
        incident_id=incident_id(run["run_id"]),
        event_time=now,
        status="open",
        kind="command_unanswered",
        severity="critical" if run["mode"] == "live" else "minor",
        subject=run["run_id"],
        title=f"{drill}{run['title_ru']}: не ответили {len(rows)} · {run['title_en']}: {len(rows)} did not answer",
        detail="\n".join([*lines[:LISTED], *more])[:9_900],
    )


def incident_id(run_id: str) -> str:
    return f"command_unanswered-{run_id}"


def answered_since(
    known: Known, devices: Iterable[DeviceRow], opened: Iterable[Incident], now: datetime
) -> tuple[list[Incident], Known]:
    """Incidents to close: all of their devices have answered a command since, this one or a later one."""
    well = {row["device_id"] for row in devices if row["answered"] in DONE}
    over = {run_id for run_id, ids in known.escalated.items() if set(ids) <= well}
    by_id = {each.incident_id: each for each in opened if each.kind == "command_unanswered"}
    closed = [
        by_id[incident_id(run_id)].model_copy(update={"status": "closed", "event_time": now})
        for run_id in sorted(over)
        if incident_id(run_id) in by_id
    ]
    rest = {run_id: ids for run_id, ids in known.escalated.items() if run_id not in over}
    return closed, known.model_copy(update={"escalated": rest})


def _ids(runs: Iterable[RunRow]) -> set[str]:
    return {command["command_id"] for run in runs for command in run["commands"]}
