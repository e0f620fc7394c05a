"""Dagster's part of the reflexes: retry, escalate, reconcile. Seconds; the milliseconds are elsewhere."""

from datetime import UTC, datetime

import dagster as dg

from actuation.reflex.client import ReflexRefusedError
from city.settings import Settings
from ingest.contracts.incident import Incident
from orchestration.defs.incidents import JOB as PUBLISH_INCIDENTS
from orchestration.lib import incidents, reconcile, reflex, unanswered
from orchestration.lib.telling import publish

RETRY, ESCALATE = "retry_commands", "escalate_commands"


class Retries(dg.Config):
    """JSON texts of unanswered.Retry."""

    retries: list[str]


class Escalations(dg.Config):
    """JSON texts of unanswered.Escalation, and of incidents that are over."""

    escalations: list[str]
    closed: list[str]


def definitions(settings: Settings) -> dg.Definitions:
    @dg.op
    def send_again(context: dg.OpExecutionContext, config: Retries) -> None:
        """Asks the reflex process, which alone signs, to send the same command under a new number."""
        sent = 0
        with reflex.asked(settings) as client:
            for retry in map(unanswered.Retry.model_validate_json, config.retries):
                try:
                    client.retry(retry.command_id, retry.device_ids, note=f"attempt {retry.attempt}")
                    sent += 1
                except ReflexRefusedError as error:  # it expired, or is answered, since the sensor looked
                    context.log.warning("%s: %s", retry.command_id, error)
        context.add_output_metadata({"commands": len(config.retries), "sent": sent})

    @dg.job(name=RETRY, executor_def=dg.in_process_executor, description="Sends unanswered commands again")
    def retry_commands() -> None:
        send_again()

    @dg.op
    def tell_a_person(context: dg.OpExecutionContext, config: Escalations) -> None:
        """A line of the ledger for each device, and one incident a run, which the city's scenarios make a notice of."""
        found = [unanswered.Escalation.model_validate_json(text) for text in config.escalations]
        texts = dict.fromkeys([*(each.incident for each in found), *config.closed])
        told = [Incident.model_validate_json(text) for text in texts]
        context.log.info("%s", publish(settings, told))
        with reflex.asked(settings) as client:
            for each in found:
                try:
                    client.escalate(each.command_id, each.device_ids, unanswered.TO)
                except ReflexRefusedError as error:
                    context.log.warning("%s: %s", each.command_id, error)
        context.add_output_metadata({"devices": sum(len(each.device_ids) for each in found), "incidents": len(told)})

    @dg.job(name=ESCALATE, executor_def=dg.in_process_executor, description="Hands silent devices to a person")
    def escalate_commands() -> None:
        tell_a_person()

    @dg.sensor(
        jobs=[retry_commands, escalate_commands],
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A command that a device has not answered, or has refused: again, then to a person",
    )
    def unanswered_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        known = unanswered.Known.model_validate_json(context.cursor or "{}")
        try:
            with reflex.asked(settings) as client:
                runs = reflex.recent_runs(client, now)
                decision = unanswered.decide(runs, reflex.devices_of(client, runs), known, now)
                devices = client.devices() if decision.known.escalated else []
        except reflex.AWAY as error:
            return dg.SkipReason(str(error))
        opened = incidents.open_incidents(settings) if devices else []
        closed, known = unanswered.answered_since(decision.known, devices, opened, now)
        return dg.SensorResult(run_requests=_requests(decision, closed, now), cursor=known.model_dump_json())

    @dg.sensor(
        job_name=PUBLISH_INCIDENTS,
        minimum_interval_seconds=120,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Desired against reported: a device whose sensor says another state than it was brought into",
    )
    def reconcile_sensor() -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        try:
            with reflex.asked(settings) as client:
                differing = reconcile.differences(client.devices(), client.runs(), now)
        except reflex.AWAY as error:
            return dg.SkipReason(str(error))
        found = reconcile.incidents(differing, incidents.open_incidents(settings), now)
        return incidents.request(found, now) or dg.SkipReason("every device is as it was commanded")

    return dg.Definitions(jobs=[retry_commands, escalate_commands], sensors=[unanswered_sensor, reconcile_sensor])


def _requests(decision: unanswered.Decision, closed: list[Incident], now: datetime) -> list[dg.RunRequest]:
    """At most one run of each job a tick; the cursor has noted them, so each is asked for once."""
    asked = []
    if decision.retries:
        texts = [each.model_dump_json() for each in decision.retries]
        config = {"ops": {"send_again": {"config": {"retries": texts}}}}
        asked.append(dg.RunRequest(job_name=RETRY, run_key=f"retry-{now.timestamp():.0f}", run_config=config))
    if decision.escalations or closed:
        said = {
            "escalations": [each.model_dump_json() for each in decision.escalations],
            "closed": [each.model_dump_json(exclude_none=True) for each in closed],
        }
        config = {"ops": {"tell_a_person": {"config": said}}}
        asked.append(dg.RunRequest(job_name=ESCALATE, run_key=f"escalate-{now.timestamp():.0f}", run_config=config))
    return asked
