"""Nightly: the lake merged and its history bounded, Dagster's own old runs removed."""

from dataclasses import asdict
from datetime import UTC, datetime

import dagster as dg

from city.profile import load_city
from city.settings import Settings
from orchestration.lib.keys import LAKE_RUN
from orchestration.lib.runs import delete_old_runs
from warehouse.maintenance import maintain

JOB = "maintain_lake"
NIGHTLY = "30 3 * * *"


def definitions(settings: Settings) -> dg.Definitions:
    @dg.op
    def maintain_lake_files(context: dg.OpExecutionContext) -> None:
        """Merges small files, expires old snapshots, deletes what nothing uses."""
        context.add_output_metadata(asdict(maintain(settings)))

    @dg.op
    def delete_runs(context: dg.OpExecutionContext) -> None:
        """A run a minute is half a million a year; the lake keeps what matters of them."""
        context.add_output_metadata({"deleted": delete_old_runs(context.instance, datetime.now(UTC))})

    @dg.job(name=JOB, executor_def=dg.in_process_executor, tags=LAKE_RUN, description="Keeps the lake small")
    def maintain_lake() -> None:
        maintain_lake_files()
        delete_runs()

    nightly = dg.ScheduleDefinition(
        job=maintain_lake,
        cron_schedule=NIGHTLY,
        execution_timezone=load_city(settings).time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[maintain_lake], schedules=[nightly])
