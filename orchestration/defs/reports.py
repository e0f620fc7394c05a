"""One report a day of the city: the KPIs of a closed local day, as a file that can be sent. Partitioned by day."""

from datetime import date

import dagster as dg
from dagster import MetadataValue

from city.profile import load_city
from city.settings import Settings
from orchestration.lib import keys
from orchestration.lib.reports import write_day

FIRST_DAY = "2015-01-01"  # real captures that are replayed in tests and demos are that old


def definitions(settings: Settings) -> dg.Definitions:
    zone = load_city(settings).time_zone
    days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=zone)

    @dg.asset(
        key=dg.AssetKey(["reports", "city_day"]),
        group_name=keys.CITY,
        deps=[dg.AssetKey(["marts", "mart_kpi_daily"])],
        partitions_def=days,
        kinds={"csv"},
    )
    def city_day(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """KPIs of one local day of the city, one row a KPI, as CSV under GORODOK_HOME/reports."""
        path, table, rows = write_day(settings, date.fromisoformat(context.partition_key))
        return dg.MaterializeResult(metadata={"rows": rows, "path": str(path), "KPIs": MetadataValue.md(table)})

    job = dg.define_asset_job(
        "report_day", selection=dg.AssetSelection.assets(city_day), executor_def=dg.in_process_executor
    )
    morning = dg.build_schedule_from_partitioned_job(
        job, hour_of_day=6, minute_of_hour=0, default_status=dg.DefaultScheduleStatus.RUNNING
    )
    return dg.Definitions(assets=[city_day], jobs=[job], schedules=[morning])
