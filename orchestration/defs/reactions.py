"""Actuation as runs: an event calls for devices to act, or a device owes an answer. The milliseconds are elsewhere."""

from datetime import UTC, datetime

import dagster as dg
from dagster import MetadataValue

from actuation.act import act, is_due
from actuation.facts import load_town
from city.settings import Settings
from orchestration.lib import reactions
from orchestration.lib.keys import DEVICES_RUN

JOB = "react"


def definitions(settings: Settings) -> dg.Definitions:
    town = load_town(settings)

    @dg.op
    def command_devices(context: dg.OpExecutionContext) -> None:
        """Commands out, answers awaited, repeats, incidents: until nothing is due and nothing is under way."""
        report = act(settings, town=town)
        context.add_output_metadata(
            {
                "commands": len(report.commands),
                "incidents": len(report.incidents),
                "seconds": report.seconds,
                "sent": MetadataValue.md(reactions.table(report)),
            }
        )

    @dg.job(
        name=JOB,
        executor_def=dg.in_process_executor,
        tags=DEVICES_RUN,
        description="Commands devices, waits for their answers, repeats, tells a person",
    )
    def react() -> None:
        command_devices()

    @dg.sensor(
        job=react,
        minimum_interval_seconds=2,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A critical alert or camera event in the city state, or a device that has not answered",
    )
    def reaction_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if reactions.is_busy(context.instance):
            return dg.SkipReason("a run is commanding devices already; it takes up what is new")
        now = datetime.now(UTC)
        return reactions.request(is_due(settings, town, now), now) or dg.SkipReason("nothing is due")

    return dg.Definitions(jobs=[react], sensors=[reaction_sensor])
