"""Landed segments and the raw tables that they are loaded into; the load; the check of what was loaded; the sensor."""

import time
from collections.abc import Iterator

import dagster as dg

from city.settings import Settings
from ingest.contracts import CONTRACTS
from orchestration.lib import keys, landing, raw
from orchestration.lib.selection import BUILT

JOB = "load_and_build"


def definitions(settings: Settings) -> dg.Definitions:
    landed = [raw.landed_spec(feed) for feed in CONTRACTS]
    tables = [raw.raw_spec(feed) for feed in CONTRACTS]
    checks = [raw.contract_check(feed) for feed in CONTRACTS]

    @dg.multi_asset(name="load", specs=tables, check_specs=checks, can_subset=True, pool="lake")
    def load(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Sealed segments of the selected feeds into their raw tables; what came is checked against the contract."""
        yield from raw.load_and_check(settings, [key.path[-1] for key in context.selected_asset_keys])

    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.key_prefixes(*BUILT),
        tags=keys.LAKE_RUN,
        executor_def=dg.in_process_executor,
    )

    @dg.sensor(
        job=job,
        minimum_interval_seconds=2,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="New sealed segments: load their feeds, check them, build what is made of them",
    )
    def landing_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = landing.Cursor.model_validate_json(context.cursor or "{}")
        decision = landing.decide(landing.look(settings), cursor, time.time(), busy=raw.is_busy(context.instance))
        return raw.answer(settings, decision, context)

    return dg.Definitions(assets=[*landed, *raw.ops_specs(), load], jobs=[job], sensors=[landing_sensor])
