"""Which assets a run takes: the feeds that have something new, and all that is made of them."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg
from dagster import AssetKey

from city.settings import Settings
from orchestration.lib import keys
from warehouse.lake import LakeMissingError
from warehouse.read import query

MODELLED = ("staging", "intermediate", "marts")
"""Schemas that dbt writes."""

BUILT = ("raw", *MODELLED)
"""Layers of the load-and-build job. Reports (one a day, partitioned) and vision have jobs of their own."""


def made_of(settings: Settings, graph: dg.AssetGraph, feeds: Iterable[str]) -> list[AssetKey]:
    """The feeds' raw tables, everything downstream, and every model that the lake does not have yet.

    The last part makes the first build of a lake, and the first after a new model came, a whole one: a mart of
    several feeds reads the views of those that have landed nothing so far.
    """
    found = dg.AssetSelection.assets(*(keys.raw(feed) for feed in feeds)).downstream().resolve(graph)
    missing = {key for key in graph.executable_asset_keys if key.path[0] in MODELLED} - _in_lake(settings)
    return sorted(key for key in found | missing if key.path[0] in BUILT)


def _in_lake(settings: Settings) -> set[AssetKey]:
    sql = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'lake'"
    try:
        return {AssetKey([schema, name]) for schema, name in query(settings, sql).rows()}
    except LakeMissingError:
        return set()
