"""Names of assets: the layer, then the table. An asset's group is its feed, or one of the two groups below."""

from __future__ import annotations

import dagster as dg

CITY = "city"
"""Group of what is built from more than one feed."""

PLATFORM = "platform"
"""Group of what the platform keeps about itself."""


def landed(feed: str) -> dg.AssetKey:
    """The sealed segments of a feed."""
    return dg.AssetKey(["landed", feed])


def raw(feed: str) -> dg.AssetKey:
    """The table `raw.<feed>` of the lake."""
    return dg.AssetKey(["raw", feed])


CONTRACT_CHECK = "contract"
"""Name of the Great Expectations check of every raw table."""

FRESH_CHECK = "fresh"
"""Name of the check of every raw table whose feed owes freshness."""

DRILL_CHECK = dg.AssetCheckKey(dg.AssetKey(["marts", "mart_drill_house"]), "drilled_in_time")
"""Asked daily by a job of its own: a drill that is late is no fault of a build."""

WRITES = "gorodok/writes"
"""Tag of runs that write the same thing. One at a time of each (dagster.yaml)."""

LAKE_RUN = {WRITES: "lake"}
