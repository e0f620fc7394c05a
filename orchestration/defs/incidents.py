"""What a person must hear of: feeds that fall silent, runs and checks that fail. Opened here, and closed here."""

from datetime import UTC, datetime

import dagster as dg

from city.settings import Settings
from ingest.contracts.incident import Incident
from orchestration.lib import incidents, silence
from orchestration.lib.telling import publish

JOB = "publish_incidents"


class Incidents(dg.Config):
    """Incidents as JSON texts of their contract."""

    incidents: list[str]


def definitions(settings: Settings) -> dg.Definitions:
    @dg.op
    def publish_by_mqtt(context: dg.OpExecutionContext, config: Incidents) -> None:
        """To the broker as contract `incident`; the gateway lands them like any feed."""
        found = [Incident.model_validate_json(text) for text in config.incidents]
        context.log.info("%s", publish(settings, found))

    @dg.job(name=JOB, executor_def=dg.in_process_executor, description="Opens and closes incidents")
    def publish_incidents() -> None:
        publish_by_mqtt()

    @dg.sensor(
        job=publish_incidents,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A feed is silent for longer than its contract allows, or is back",
    )
    def silence_sensor() -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        found = silence.decide(incidents.heard(settings), incidents.open_incidents(settings), now)
        return incidents.request(found, now) or dg.SkipReason("every feed that has spoken is heard in time")

    @dg.run_failure_sensor(
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A run failed: an incident says which and why",
    )
    def run_failure(context: dg.RunFailureSensorContext) -> None:
        incidents.tell(settings, incidents.after_failure(context, settings, datetime.now(UTC)))

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A run went well: incidents of its job are closed; checks that fail in it open theirs",
    )
    def run_success(context: dg.RunStatusSensorContext) -> None:
        incidents.tell(settings, incidents.after_success(context, settings, datetime.now(UTC)))

    return dg.Definitions(jobs=[publish_incidents], sensors=[silence_sensor, run_failure, run_success])
