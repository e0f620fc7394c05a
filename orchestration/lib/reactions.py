"""The reaction sensor's answer, and what a run shows of itself."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import dagster as dg

from actuation.act import ActReport
from actuation.decide import Decision
from orchestration.lib.keys import DEVICES_RUN
from orchestration.lib.raw import UNFINISHED

ASK_AGAIN_S = 30


def is_busy(instance: dg.DagsterInstance) -> bool:
    """A run that commands devices is queued or under way."""
    return bool(instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED, tags=DEVICES_RUN), limit=1))


def request(decision: Decision, now: datetime) -> dg.SensorResult | None:
    """One run for all that is due; asked for again after half a minute, if the first was lost."""
    if decision.is_empty:
        return None
    names = [f"{command.command_id} {command.attempt}" for command in decision.commands]
    names += [f"{incident.incident_id} {incident.status}" for incident in decision.incidents]
    digest = sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
    run = dg.RunRequest(run_key=f"{digest}-{int(now.timestamp()) // ASK_AGAIN_S}", tags=DEVICES_RUN)
    return dg.SensorResult(run_requests=[run])


def table(report: ActReport) -> str:
    """Commands and incidents of a run as Markdown."""
    rows = [
        f"| {each.issued_at:%H:%M:%S.%f} | {each.device_id} | {each.action} | {each.mode} | {each.attempt} |"
        for each in report.commands
    ]
    head = ["| sent (UTC) | device | action | mode | attempt |", "|---|---|---|---|---|"]
    told = [f"- {incident.title}" for incident in report.incidents]
    return "\n".join([*(head if rows else ["—"]), *rows, "", *told])
