"""How landed segments become raw tables in Dagster: specs, the load with its check, and the sensor's answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster import MetadataValue

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.quality.check import Failure, SuiteResult
from orchestration.lib import batch, freshness, keys, landing, pictures
from orchestration.lib.batch import Loaded
from orchestration.lib.selection import made_of
from warehouse.load import load_segments

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def landed_spec(feed: str) -> dg.AssetSpec:
    spec = CONTRACTS[feed].spec
    return dg.AssetSpec(
        keys.landed(feed),
        group_name=feed,
        description=f"{spec.title_ru} · {spec.title_en}: sealed segments of the landing log, {spec.grain}.",
        kinds={"parquet"},
    )


def raw_spec(feed: str) -> dg.AssetSpec:
    spec = CONTRACTS[feed].spec
    return dg.AssetSpec(
        keys.raw(feed),
        deps=[keys.landed(feed)],
        group_name=feed,
        description=f"{spec.title_ru} · {spec.title_en}: {spec.grain}, each key once ({', '.join(spec.key)}).",
        kinds={"duckdb", "table"},
    )


def ops_specs() -> list[dg.AssetSpec]:
    """What the load keeps about itself; written by it, so external to Dagster."""
    said = {
        "segment": "One row per loaded segment of the landing log.",
        "conflict": "One row per message whose key was known and whose content differed.",
        "device": "One row per device of the city's register, with house and address.",
    }
    return [
        dg.AssetSpec(dg.AssetKey(["ops", name]), group_name=keys.PLATFORM, description=text, kinds={"duckdb", "table"})
        for name, text in said.items()
    ]


def contract_check(feed: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        keys.CONTRACT_CHECK,
        asset=keys.raw(feed),
        description=f"Great Expectations over the newly loaded rows: ingest/quality/suites/{feed}.json",
    )


def load_and_check(settings: Settings, feeds: Sequence[str]) -> Iterator[dg.MaterializeResult]:
    """Loads, then gives one result for each feed. A feed with nothing new has one too, with rows 0 and no contract

    check: Dagster skips a step when one of its inputs was skipped, and dbt is one step over all feeds. Whether its
    data are fresh says the check `fresh`, from the newest row in the lake.
    """
    loaded = {each.feed: each for each in batch.by_feed(load_segments(settings, feeds))}
    fresh = freshness.results(settings, feeds, datetime.now(UTC))
    for feed in feeds:
        checks = [fresh[feed]] if feed in fresh else []
        if feed in loaded:
            yield _result(settings, loaded[feed], checks)
        else:
            yield dg.MaterializeResult(asset_key=keys.raw(feed), metadata={"rows": 0}, check_results=checks)


def is_busy(instance: dg.DagsterInstance) -> bool:
    """A run that writes the lake is queued or under way."""
    return bool(instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED, tags=keys.LAKE_RUN), limit=1))


def answer(settings: Settings, decision: landing.Decision, context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """The decision in Dagster's words: a run of the waiting feeds and all that is made of them."""
    seen = [
        dg.AssetMaterialization(keys.landed(each.feed), metadata={"segments": len(each.segments), "bytes": each.bytes})
        for each in decision.fresh.values()
    ]
    cursor = decision.cursor.model_dump_json()
    if not decision.feeds:
        return dg.SensorResult(skip_reason=decision.why, cursor=cursor, asset_events=seen)
    assert context.repository_def is not None
    selected = made_of(settings, context.repository_def.asset_graph, decision.feeds)
    request = dg.RunRequest(run_key=decision.run_key, asset_selection=selected, tags=keys.LAKE_RUN)
    return dg.SensorResult(run_requests=[request], cursor=cursor, asset_events=seen)


def _result(settings: Settings, loaded: Loaded, checks: Sequence[dg.AssetCheckResult]) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=keys.raw(loaded.feed),
        metadata=_metadata(settings, loaded),
        check_results=[_check(settings, loaded), *checks],
    )


def _metadata(settings: Settings, loaded: Loaded) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {
        "rows": MetadataValue.int(loaded.rows),
        "duplicates": MetadataValue.int(loaded.duplicates),
        "conflicts": MetadataValue.int(loaded.conflicts),
        "bytes": MetadataValue.int(loaded.bytes),
        "segments": MetadataValue.int(len(loaded.segments)),
        "load_s": MetadataValue.float(round(loaded.seconds, 3)),
        "rows by hour": MetadataValue.md(pictures.bars(batch.hourly_rows(settings, loaded.feed))),
    }
    if loaded.rows and batch.place_columns(loaded.feed):
        metadata["map"] = MetadataValue.md(pictures.dots(batch.places(settings, loaded)))
    if loaded.broken:
        metadata["broken segments"] = MetadataValue.json(list(loaded.broken))
    return metadata


def _check(settings: Settings, loaded: Loaded) -> dg.AssetCheckResult:
    key = keys.raw(loaded.feed)
    if not loaded.rows:
        return dg.AssetCheckResult(
            asset_key=key, check_name=keys.CONTRACT_CHECK, passed=not loaded.broken, metadata={"rows": 0}
        )
    result = batch.check_loaded(settings, loaded)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=keys.CONTRACT_CHECK,
        passed=not result.failures and not loaded.broken,
        severity=dg.AssetCheckSeverity.ERROR if result.critical or loaded.broken else dg.AssetCheckSeverity.WARN,
        description=_said(result),
        metadata={
            "rows": result.rows,
            "expectations": result.expectations,
            "check_s": round(result.seconds, 3),
            "failures": MetadataValue.md(_table(result.failures)),
        },
    )


def _said(result: SuiteResult) -> str:
    if not result.failures:
        return f"{result.expectations} expectations hold over {result.rows:,} rows"
    names = ", ".join(
        f"{failure.column} ({failure.expectation.removeprefix('expect_')})" for failure in result.failures
    )
    return f"{len(result.failures)} of {result.expectations} expectations fail: {names}"


def _table(failures: Sequence[Failure]) -> str:
    if not failures:
        return "—"
    rows = [
        f"| {failure.severity} | {failure.column} | {failure.expectation} | {failure.unexpected} "
        f"| {failure.share:.1%} | {failure.reason or ', '.join(f'`{value}`' for value in failure.examples)} |"
        for failure in failures
    ]
    return "\n".join(
        ["| severity | column | expectation | rows | share | examples |", "|---|---|---|---|---|---|", *rows]
    )
