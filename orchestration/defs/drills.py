"""The drill's schedule is the scenario's, in the reflex process; here is only asked, daily, whether it took place."""

from datetime import UTC, datetime

import dagster as dg

from city.profile import load_city
from city.settings import Settings
from orchestration.lib import drills, keys

DAILY = "0 8 * * *"


def definitions(settings: Settings) -> dg.Definitions:
    @dg.asset_check(
        asset=keys.DRILL_CHECK.asset_key,
        name=keys.DRILL_CHECK.name,
        description=f"Every house with a door was in a drill within {drills.DUE.days} days",
    )
    def drilled_in_time() -> dg.AssetCheckResult:
        houses, began = drills.houses(settings)
        late = drills.late(houses, began, datetime.now(UTC))
        rows = [f"| {each.address} | {each.doors} | {each.last_drill_at or '—'} |" for each in late]
        return dg.AssetCheckResult(
            passed=not late,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{len(late)} of {len(houses)} houses had no drill in time",
            metadata={
                "houses": len(houses),
                "late": dg.MetadataValue.md("\n".join(["| house | doors | last drill |", "|---|---|---|", *rows])),
            },
        )

    job = dg.define_asset_job(
        "check_drills", selection=dg.AssetSelection.checks(drilled_in_time), executor_def=dg.in_process_executor
    )
    daily = dg.ScheduleDefinition(
        job=job,
        cron_schedule=DAILY,
        execution_timezone=load_city(settings).time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(asset_checks=[drilled_in_time], jobs=[job], schedules=[daily])
