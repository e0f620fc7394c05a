"""After each run of a scenario its full report, as HTML and PDF. Partitioned by run, as runs come."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import MetadataValue

from city.settings import Settings
from orchestration.lib import reflex
from orchestration.run_report.gather import in_the_lake
from orchestration.run_report.table import silent, summary
from orchestration.run_report.write import write_run

RUNS = dg.DynamicPartitionsDefinition(name="scenario_run")
LOOK_BACK = timedelta(days=2)
AT_ONCE = 5
"""Reports that one look asks for: after a week away the rest comes with the next looks."""


def definitions(settings: Settings) -> dg.Definitions:
    key = dg.AssetKey(["reports", "scenario_run"])

    @dg.asset(
        key=key,
        group_name="ledger_entry",
        deps=[
            dg.AssetKey(["marts", "mart_scenario_run"]),
            dg.AssetKey(["marts", "mart_command"]),
            dg.AssetKey(["staging", "stg_ledger_entry"]),
            dg.AssetKey(["ops", "device"]),
        ],
        partitions_def=RUNS,
        kinds={"pdf", "html"},
    )
    def scenario_run(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """One run: summary, map of zones and doors, percentiles, silent devices with address and contact, timeline."""
        written = write_run(settings, context.partition_key)
        facts = "\n".join(f"| {name} | {value} |" for name, value in summary(written.report))
        rows = "\n".join(f"| {' | '.join(row)} |" for row in silent(written.report).rows)
        return dg.MaterializeResult(
            metadata={
                "pdf": MetadataValue.path(str(written.pdf)),
                "html": MetadataValue.path(str(written.html)),
                "expected": int(written.report.run["expected"]),
                "silent": int(written.report.run["silent"]),
                "summary": MetadataValue.md(f"| | |\n|---|---|\n{facts}"),
                "silent devices": MetadataValue.md(f"| | | | | |\n|---|---|---|---|---|\n{rows}" if rows else "—"),
            }
        )

    job = dg.define_asset_job(
        "report_run", selection=dg.AssetSelection.assets(key), executor_def=dg.in_process_executor
    )

    @dg.sensor(
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A run of a scenario has ended and its lines are in the lake: its report",
    )
    def run_ended_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        try:
            with reflex.asked(settings) as client:
                ended = client.runs(past=True, since=now - LOOK_BACK)
        except reflex.AWAY as error:
            return dg.SkipReason(str(error))
        known = set(context.instance.get_dynamic_partitions(str(RUNS.name)))
        waiting = {
            run["run_id"]: datetime.fromisoformat(str(run["ended_at"]))
            for run in ended
            if run["commands"] and run["run_id"] not in known
        }
        ready = sorted(in_the_lake(settings, waiting))[:AT_ONCE]
        if not ready:
            return dg.SkipReason(
                f"{len(waiting)} runs have ended and wait for their lines" if waiting else "no new run"
            )
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=run_id, partition_key=run_id) for run_id in ready],
            dynamic_partitions_requests=[RUNS.build_add_request(ready)],
        )

    return dg.Definitions(assets=[scenario_run], jobs=[job], sensors=[run_ended_sensor])
