"""Incidents of runs and checks as pure decisions, and the few lines that feed them from Dagster and the city state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import dagster as dg

from city.settings import Settings
from city_state.read import feeds, latest
from ingest.broker.client import BrokerUnreachableError
from ingest.contracts.incident import Incident
from ingest.intake import Intake
from ingest.parcel import Parcel
from ingest.publish import NotDeliveredError
from orchestration.lib.silence import Heard
from orchestration.lib.telling import publish

ASK_AGAIN_S = 60
"""A run that should have published and did not is asked for again after this long."""

ID_LENGTH = 128
DETAIL_LENGTH = 4_000


@dataclass(frozen=True, slots=True)
class Checked:
    """How one asset check went in a run. is_error: its severity is ERROR."""

    asset: str
    check: str
    passed: bool
    is_error: bool
    description: str


def heard(settings: Settings) -> list[Heard]:
    """When the gateway last heard of each feed; feeds that never spoke are absent."""
    rows = feeds(settings).select("feed", "last_received_at").rows()
    return [Heard(feed, at) for feed, at in rows]


def open_incidents(settings: Settings) -> list[Incident]:
    """Incidents that nobody has closed, from the city state."""
    found = [Incident.model_validate_json(payload) for payload in latest(settings, "incident")["payload"]]
    return [incident for incident in found if incident.status == "open"]


def tell(settings: Settings, found: Sequence[Incident]) -> None:
    """By MQTT; without a broker straight to the landing: a sensor's tick comes once, and an incident must not be lost.

    Then the city state does not show it until it is published again, but the lake does.
    """
    try:
        publish(settings, found)
    except (BrokerUnreachableError, NotDeliveredError):
        with Intake(settings, writer="orchestration") as intake:
            for incident in found:
                payload = incident.model_dump_json(exclude_none=True).encode()
                intake.submit(Parcel("incident", "orchestration", payload))
            intake.flush()
            intake.seal()


def request(found: Sequence[Incident], now: datetime) -> dg.SensorResult | None:
    """A run that publishes them; the same set is asked for once a minute, until the state shows it."""
    if not found:
        return None
    names = sorted(f"{incident.incident_id} {incident.status}" for incident in found)
    digest = sha256("\n".join(names).encode()).hexdigest()[:16]
    texts = [incident.model_dump_json(exclude_none=True) for incident in found]
    run = dg.RunRequest(
        run_key=f"{digest}-{int(now.timestamp()) // ASK_AGAIN_S}",
        run_config={"ops": {"publish_by_mqtt": {"config": {"incidents": texts}}}},
    )
    return dg.SensorResult(run_requests=[run])


def after_failure(context: dg.RunFailureSensorContext, settings: Settings, now: datetime) -> list[Incident]:
    """The failed run's incident, and those of its checks."""
    run, known = context.dagster_run, open_incidents(settings)
    errors = [f"{event.step_key}: {_innermost(event)}" for event in context.get_step_failure_events()]
    detail = "\n".join(errors) or context.failure_event.message or ""
    return [*of_failed_run(run.job_name, run.run_id, detail, known, now), *of_checks(_checks(context), known, now)]


def after_success(context: dg.RunStatusSensorContext, settings: Settings, now: datetime) -> list[Incident]:
    """Closes the job's own incidents; opens and closes those of the checks that ran."""
    known = open_incidents(settings)
    return [*of_good_run(context.dagster_run.job_name, known, now), *of_checks(_checks(context), known, now)]


def of_failed_run(job: str, run_id: str, detail: str, known: Sequence[Incident], now: datetime) -> list[Incident]:
    """One incident a job: while it is open, further failures of the job add nothing to it."""
    if any(incident.kind == "run_failed" and incident.subject == job for incident in known):
        return []
    return [
        Incident(
            incident_id=f"run_failed-{job}-{run_id[:8]}",
            event_time=now,
            status="open",
            kind="run_failed",
            severity="major",
            subject=job,
            title=f"Задание {job} не выполнено · run of {job} failed",
            detail=f"run {run_id}\n{detail}"[:DETAIL_LENGTH],
        )
    ]


def of_good_run(job: str, known: Sequence[Incident], now: datetime) -> list[Incident]:
    """The job works again: its incidents are over."""
    return [_closed(incident, now) for incident in known if incident.kind == "run_failed" and incident.subject == job]


def of_checks(checks: Sequence[Checked], known: Sequence[Incident], now: datetime) -> list[Incident]:
    """Opens an incident for each check of severity ERROR that fails, closes it when the check passes again."""
    open_now = {incident.incident_id: incident for incident in known if incident.kind == "check_failed"}
    newest = {_check_id(check): check for check in checks}
    opened = [
        _of_check(check, now)
        for name, check in newest.items()
        if not check.passed and check.is_error and name not in open_now
    ]
    closed = [_closed(open_now[name], now) for name, check in newest.items() if check.passed and name in open_now]
    return opened + closed


def _of_check(check: Checked, now: datetime) -> Incident:
    return Incident(
        incident_id=_check_id(check),
        event_time=now,
        status="open",
        kind="check_failed",
        severity="major",
        subject=check.asset[:ID_LENGTH],
        title=f"Проверка не пройдена: {check.asset}, {check.check} · check failed: {check.asset}, {check.check}"[:512],
        detail=check.description[:DETAIL_LENGTH] or None,
    )


def _check_id(check: Checked) -> str:
    name = f"check_failed-{check.asset}-{check.check}"
    return name if len(name) <= ID_LENGTH else f"{name[: ID_LENGTH - 17]}-{sha256(name.encode()).hexdigest()[:16]}"


def _closed(incident: Incident, now: datetime) -> Incident:
    return incident.model_copy(update={"status": "closed", "event_time": now})


def _checks(context: dg.RunStatusSensorContext) -> list[Checked]:
    told = context.instance.all_logs(context.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.dagster_event.asset_check_evaluation_data for entry in told if entry.dagster_event is not None]
    return [
        Checked(
            each.asset_key.to_user_string(),
            each.check_name,
            each.passed,
            each.severity is dg.AssetCheckSeverity.ERROR,
            each.description or "",
        )
        for each in found
    ]


def _innermost(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else (event.message or "")
