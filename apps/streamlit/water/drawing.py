"""Charts of the water-loss page: a zone's nights within their band, what running leaks have cost and will cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from apps.streamlit.charts import days_axis, dressed
from apps.streamlit.look import CHART
from apps.streamlit.words import Words
from ingest.contracts.leak_finding import LeakFinding

AHEAD_DAYS = 7
BACK_DAYS = 60
NAMED = 5


def long_ago(until: datetime) -> datetime:
    """How far back an evidence plot looks."""
    return until - timedelta(days=BACK_DAYS)


def night_band(nights: pl.DataFrame, words: Words, height: int = 190) -> Any:
    """One zone's rows of mart_night_flow_day: the band of the 28 nights before, the nights, the high ones marked."""
    data = nights.filter(pl.col("night_min_m3_h").is_not_null())
    count = data["day"].n_unique()
    y = alt.Y("night_min_m3_h:Q", title=words.unit("m3/h"), scale=alt.Scale(zero=True))
    tips = [
        alt.Tooltip("day:T", timeUnit="utcyearmonthdate", format="%-d %B", title=words("app.day")),
        alt.Tooltip("night_min_m3_h:Q", format=",.2f", title=words("water.night")),
        alt.Tooltip("usual_m3_h:Q", format=",.2f", title=words("loss.usual")),
        alt.Tooltip("band_high_m3_h:Q", format=",.2f", title=words("loss.band_high")),
        alt.Tooltip("legitimate_m3_h:Q", format=",.2f", title=words("loss.legitimate")),
    ]
    base = alt.Chart(data).encode(x=days_axis(count))
    band = base.mark_area(color=CHART["metered"], opacity=0.35).encode(
        y=alt.Y("band_low_m3_h:Q", title=words.unit("m3/h")), y2="band_high_m3_h:Q"
    )
    legitimate = base.mark_line(color=CHART["target"], strokeDash=[4, 4], strokeWidth=1.5).encode(y="legitimate_m3_h:Q")
    line = base.mark_line(color=CHART["inflow"], strokeWidth=2.2).encode(y=y)
    dots = base.mark_point(filled=True, opacity=1).encode(
        y=y, tooltip=tips,
        color=alt.condition("datum.is_high === true", alt.value(CHART["loss"]), alt.value(CHART["inflow"])),
        size=alt.condition("datum.is_high === true", alt.value(80), alt.value(24)),
    )  # fmt: skip
    return dressed(band + legitimate + line + dots, words, height)


def running_cost(
    running: Sequence[LeakFinding], names: dict[str, str], now: datetime, *, rest: str = ""
) -> pl.DataFrame:
    """day, name, rub, is_ahead: roubles that each leak has cost since it began, and will have if it runs on a week.

    Every leak is reckoned at what it loses now: an estimate for a leak that grew. The `NAMED` dearest are
    named, the others together are `rest`; days before the first of them began are left out.
    """
    start = (now - timedelta(days=BACK_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = []
    dearest = {one.finding_id for one in sorted(running, key=lambda one: -(one.cost_day or 0))[:NAMED]}
    for one in running:
        began = max(one.likely_start or one.first_seen, start)
        for step in range(BACK_DAYS + AHEAD_DAYS + 1):
            at = now - timedelta(days=BACK_DAYS - step)
            lasted = max(0.0, (at - began).total_seconds() / 86_400)
            name = names.get(one.finding_id, one.finding_id) if one.finding_id in dearest else rest
            rows.append((at.astimezone(UTC).date(), name, lasted * (one.cost_day or 0), at > now))
    schema = {"day": pl.Date, "name": pl.String, "rub": pl.Float64, "is_ahead": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    totals = frame.group_by("day", "name", "is_ahead", maintain_order=True).agg(pl.col("rub").sum())
    begun = totals.filter(pl.col("rub") > 0)["day"].min()
    return totals if begun is None else totals.filter(pl.col("day") >= begun)  # type: ignore[operator]


def cost_curve(rows: pl.DataFrame, words: Words) -> Any:
    """Roubles by day, stacked by leak; the week ahead is pale."""
    order = rows.group_by("name").agg(pl.col("rub").max()).sort("rub", descending=True)["name"].to_list()
    colours = ["#D2602F", "#D9A23B", "#C2607A", "#7A4E9B", "#2B8CB0", "#6B7A86"]
    base = alt.Chart(rows).encode(
        x=days_axis(rows["day"].n_unique()),
        y=alt.Y("rub:Q", stack="zero", title=words.unit("RUB"), axis=alt.Axis(format=",.0f")),
        color=alt.Color("name:N", scale=alt.Scale(domain=order, range=[colours[i % 6] for i in range(len(order))]),
                        legend=alt.Legend(columns=1, symbolOpacity=1)),
        tooltip=[
            alt.Tooltip("day:T", timeUnit="utcyearmonthdate", format="%-d %B", title=words("app.day")),
            alt.Tooltip("name:N", title=words("loss.leak")),
            alt.Tooltip("rub:Q", format=",.0f", title=words.unit("RUB")),
        ],
        order=alt.Order("name:N"),
    )  # fmt: skip
    past = base.transform_filter("!datum.is_ahead").mark_area(opacity=0.85)
    ahead = base.mark_area(opacity=0.3)
    return dressed(ahead + past, words, 260)
