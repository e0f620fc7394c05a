"""Landed segments and the raw tables that they are loaded into; the load; the check of what was loaded; the sensor."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from city.settings import Settings
from ingest.contracts import CONTRACTS
from orchestration.lib import freshness, keys, landing, raw
from orchestration.lib.selection import BUILT

JOB = "load_and_build"


def definitions(settings: Settings) -> dg.Definitions:
    landed = [raw.landed_spec(feed) for feed in CONTRACTS]
    tables = [raw.raw_spec(feed) for feed in CONTRACTS]
    checks = [raw.contract_check(feed) for feed in CONTRACTS]
    checks += [freshness.check_spec(feed) for feed in freshness.due_feeds()]

    @dg.multi_asset(name="load", specs=tables, check_specs=checks, can_subset=True, pool="lake")
    def load(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Sealed segments of the selected feeds into their raw tables; what came is checked against the contract."""
        yield from raw.load_and_check(settings, [key.path[-1] for key in context.selected_asset_keys])

    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.key_prefixes(*BUILT) - dg.AssetSelection.checks(keys.DRILL_CHECK),
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

    @dg.sensor(
        asset_selection=dg.AssetSelection.assets(*(keys.raw(feed) for feed in freshness.due_feeds())),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="The newest row of a feed became too old, or new ones came: its check `fresh`, without a run",
    )
    def freshness_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = freshness.Verdicts.model_validate_json(context.cursor or "{}")
        told, verdicts = freshness.changes(settings, known, datetime.now(UTC))
        return dg.SensorResult(
            skip_reason=None if told else "no feed's verdict has changed",
            asset_events=told,
            cursor=verdicts.model_dump_json(),
        )

    return dg.Definitions(
        assets=[*landed, *raw.ops_specs(), load], jobs=[job], sensors=[landing_sensor, freshness_sensor]
    )
