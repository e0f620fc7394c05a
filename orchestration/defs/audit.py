"""Every day's ledger audited the next morning: hash chain, and replay = ledger. Partitioned by day."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
from dagster import MetadataValue

from city.profile import load_city
from city.settings import Settings
from orchestration.lib import keys
from orchestration.lib.audit import SHOWN, Difference, audit_day

CHAIN_CHECK, REPLAY_CHECK = "chain_is_whole", "replay_equals_ledger"
FIRST_DAY = "2026-01-01"


def definitions(settings: Settings) -> dg.Definitions:
    key = dg.AssetKey(["audit", "ledger_day"])
    days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=load_city(settings).time_zone)

    @dg.asset(
        key=key,
        group_name="ledger_entry",
        deps=[keys.raw("ledger_entry")],
        partitions_def=days,
        kinds={"python"},
        check_specs=[
            dg.AssetCheckSpec(
                CHAIN_CHECK, asset=key, description="No line is missing, none was changed, in the lake and in the file"
            ),
            dg.AssetCheckSpec(
                REPLAY_CHECK, asset=key, description="The day's events through the engine give the lines of the ledger"
            ),
        ],
    )
    def ledger_day(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """The day's lines of the command ledger, replayed through the scenario engine and compared."""
        found = audit_day(settings, date.fromisoformat(context.partition_key))
        counts = {name: getattr(found, name) for name in ("lines", "events", "effects", "other_version")}
        yield dg.MaterializeResult(
            metadata=counts, check_results=[_check(CHAIN_CHECK, found.chain), _check(REPLAY_CHECK, found.replay)]
        )

    job = dg.define_asset_job(
        "audit_ledger", selection=dg.AssetSelection.assets(key), executor_def=dg.in_process_executor
    )
    morning = dg.build_schedule_from_partitioned_job(
        job, hour_of_day=5, minute_of_hour=0, default_status=dg.DefaultScheduleStatus.RUNNING
    )
    return dg.Definitions(assets=[ledger_day], jobs=[job], schedules=[morning])


def _check(name: str, differences: list[Difference]) -> dg.AssetCheckResult:
    rows = [f"| {each.ledger} | {each.seq} | {each.what} |" for each in differences[:SHOWN]]
    first = f"line {differences[0].seq}: {differences[0].what}" if differences else "nothing differs"
    return dg.AssetCheckResult(
        check_name=name,
        passed=not differences,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(differences)} differences; {first}" if differences else first,
        metadata={
            "differences": len(differences),
            "lines": MetadataValue.md("\n".join(["| ledger | line | what |", "|---|---|---|", *rows]) if rows else "—"),
        },
    )
