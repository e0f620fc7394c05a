"""Freshness that follows the data: a check on the newest row that the lake holds, never on when a build ran.

A build touches every raw table, those of silent feeds too, so "materialised just now" would say nothing about them.
Dagster's own policy therefore stands only on `landed/<feed>`, which the landing sensor reports when a new segment is
there; tables of the lake carry the check `fresh` instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import dagster as dg
from pydantic import BaseModel, ConfigDict

from city.settings import Settings
from ingest.contracts import CONTRACTS
from orchestration.lib import keys
from warehouse.lake import LakeMissingError
from warehouse.read import query

RUN_TAKES = timedelta(minutes=5)
"""Longest way of a sealed segment to its marts before a person should look."""


class Verdicts(BaseModel):
    """The sensor's cursor: which feeds were fresh when it last said so."""

    model_config = ConfigDict(extra="forbid")

    fresh: dict[str, bool] = {}


def due_feeds() -> list[str]:
    """Feeds that owe freshness."""
    return [feed for feed, contract in CONTRACTS.items() if contract.spec.freshness_s]


def bound(settings: Settings, feed: str) -> timedelta:
    """How old the newest row of a raw table may be: the feed's own bound, a seal and a run."""
    spec = CONTRACTS[feed].spec
    return timedelta(seconds=spec.freshness_s) + timedelta(seconds=settings.seal_s) + RUN_TAKES


def check_spec(feed: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        keys.FRESH_CHECK,
        asset=keys.raw(feed),
        description=f"The newest row came within {CONTRACTS[feed].spec.freshness_s} s, a seal and a run",
    )


def newest(settings: Settings, feeds: Iterable[str]) -> dict[str, datetime]:
    """When the newest row of each feed in the lake was received (UTC); feeds without a row are absent.

    Looks at the rows of the newest segment only: its name sorts by time, and so the lake prunes all other files.
    """
    last = query(
        settings, 'SELECT feed, max(segment) AS segment FROM ops.segment WHERE "rows" > 0 GROUP BY feed'
    ).rows()
    segments = {feed: segment for feed, segment in last if feed in set(feeds)}
    if not segments:
        return {}
    each = " UNION ALL ".join(
        f"SELECT '{feed}' AS feed, max(received_at) AS received_at FROM raw.\"{feed}\" WHERE segment = ?"  # noqa: S608
        for feed in segments
    )
    return {feed: at for feed, at in query(settings, each, list(segments.values())).rows() if at is not None}


def evaluate(settings: Settings, feed: str, at: datetime | None, now: datetime) -> dg.AssetCheckResult:
    """A feed of which nothing ever came is not late: nothing of it is connected yet."""
    allowed = bound(settings, feed)
    passed = at is None or now - at <= allowed
    said = "nothing has come yet" if at is None else f"newest row received {at:%Y-%m-%d %H:%M:%S} UTC"
    return dg.AssetCheckResult(
        asset_key=keys.raw(feed),
        check_name=keys.FRESH_CHECK,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,  # the incident of a silent feed is the silence sensor's, seconds after it
        description=f"{said}; allowed {allowed.total_seconds():.0f} s",
        metadata={} if at is None else {"newest": dg.MetadataValue.timestamp(at), "age_s": (now - at).total_seconds()},
    )


def results(settings: Settings, feeds: Sequence[str], now: datetime) -> dict[str, dg.AssetCheckResult]:
    """The check of each of these feeds that owes freshness."""
    due = [feed for feed in due_feeds() if feed in feeds]
    found = newest(settings, due)
    return {feed: evaluate(settings, feed, found.get(feed), now) for feed in due}


def changes(settings: Settings, known: Verdicts, now: datetime) -> tuple[list[dg.AssetCheckEvaluation], Verdicts]:
    """Evaluations of the feeds whose verdict is another than the known one, and what is known now."""
    try:
        found = results(settings, due_feeds(), now)
    except LakeMissingError:
        return [], known
    changed = {feed: result for feed, result in found.items() if known.fresh.get(feed) != result.passed}
    return [_evaluation(result) for result in changed.values()], Verdicts(fresh=_passed(found))


def _passed(found: Mapping[str, dg.AssetCheckResult]) -> dict[str, bool]:
    return {feed: bool(result.passed) for feed, result in found.items()}


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert result.asset_key is not None
    assert result.check_name is not None
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=bool(result.passed),
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )
