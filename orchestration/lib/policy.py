"""Owners, freshness and tags of every asset, from its group's contract, applied once over all definitions.

Retries are the instance's (lib/instance.py): they hold for every run, those started by hand in the UI too.
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from city.settings import Settings
from ingest.contracts import CONTRACTS
from orchestration.lib import keys

SHORTEST = timedelta(seconds=60)
"""Dagster takes no shorter window."""

CITY_WINDOW = timedelta(days=1)


def apply_policy(definitions: dg.Definitions, settings: Settings) -> dg.Definitions:
    """The same definitions with the policy on every asset."""
    assets = dg.map_asset_specs(lambda spec: _with_policy(spec, settings), definitions.assets or [])  # type: ignore[arg-type]
    return dg.Definitions(
        assets=assets,
        asset_checks=definitions.asset_checks,
        jobs=definitions.jobs,
        schedules=definitions.schedules,
        sensors=definitions.sensors,
    )


def _with_policy(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    group = spec.group_name or keys.PLATFORM
    owner = CONTRACTS[group].spec.owner if group in CONTRACTS else "platform"
    return spec.replace_attributes(
        owners=[f"team:{owner}"],
        tags={**spec.tags, "gorodok/layer": spec.key.path[0]},
        freshness_policy=_freshness(spec.key, group, settings),
    )


def _freshness(key: dg.AssetKey, group: str, settings: Settings) -> dg.FreshnessPolicy | None:
    """Where "materialised" means that data came: what is landed. What a build makes again without news has none

    (raw tables have the check `fresh` instead: lib/freshness.py); marts of several feeds are built at least daily.
    """
    if group == keys.CITY:
        return dg.FreshnessPolicy.time_window(fail_window=CITY_WINDOW)
    freshness_s = CONTRACTS[group].spec.freshness_s if group in CONTRACTS else 0
    if not freshness_s or key.path[0] != "landed":
        return None
    way = timedelta(seconds=settings.seal_s)
    return dg.FreshnessPolicy.time_window(fail_window=max(SHORTEST, timedelta(seconds=freshness_s) + way))
