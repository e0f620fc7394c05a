"""Charts: one look, the reader's language, no toolbar that nobody asked for (Altair; drawn by Streamlit's own copy
of Vega, so nothing is fetched)."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from apps.streamlit.look import CHART
from apps.streamlit.words import MONTHS_RU, Words

SHORT_RU = [month[:3] for month in MONTHS_RU]
LOCALE_RU: dict[str, Any] = {
    "number": {"decimal": ",", "thousands": "\u202f", "grouping": [3], "currency": ["", "\u202f₽"]},
    "time": {
        "dateTime": "%d.%m.%Y %H:%M",
        "date": "%d.%m.%Y",
        "time": "%H:%M",
        "periods": ["", ""],
        "days": ["воскресенье", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота"],
        "shortDays": ["вс", "пн", "вт", "ср", "чт", "пт", "сб"],
        "months": MONTHS_RU,
        "shortMonths": SHORT_RU,
    },
}
# Tol 2021, "muted": told apart with any colour vision; six zones are more than a small town has
ZONE_COLOURS = ["#2B8CB0", "#D9A23B", "#A678C8", "#4C9F70", "#C2607A", "#6B7A86"]
TROUBLE_COLOURS = ["#D2602F", "#D9A23B", "#C2607A", "#7A4E9B"]
REST_COLOURS = ["#8FB8C8", "#2B8CB0", "#6B7A86", "#4C9F70", "#A9B4BC", "#7A8F9B"]
ZONE_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3]]


def days_axis(days: int) -> alt.X:
    """Days as a band for bars and lines alike, about a dozen labels whatever the length."""
    axis = alt.Axis(
        format="%-d %b",
        labelAngle=0,
        title=None,
        grid=False,
        ticks=False,
        domain=True,
        labelOverlap="greedy",
        labelSeparation=12,
        tickCount=min(days, 10),
    )
    return alt.X("day:T", timeUnit="utcyearmonthdate", axis=axis, scale=alt.Scale(type="utc"))


def dressed(chart: Any, words: Words, height: int = 260) -> Any:
    """The common dress: locale, quiet axes."""
    config = {"locale": LOCALE_RU} if words.language == "ru" else {}
    return (
        chart.properties(height=height, background="transparent")
        .configure(**config)
        .configure_view(strokeWidth=0)
        .configure_axisY(domain=False, ticks=False, gridOpacity=0.5, titleFontWeight="normal")
        .configure_legend(orient="top", title=None, symbolType="circle", labelLimit=320)
    )


def history(days: pl.DataFrame, unit: str, target: float | None, words: Words) -> Any:
    """A value by day (columns day, value) with its target as a dashed line."""
    data = days.select("day", "value").with_columns(pl.lit(words("kpi.value")).alias("what"))
    tips = [
        alt.Tooltip("day:T", timeUnit="utcyearmonthdate", format="%-d %B %Y", title=words("app.day")),
        alt.Tooltip("value:Q", format=",.2f", title=unit or words("kpi.value")),
    ]
    y = alt.Y("value:Q", title=unit or None, scale=alt.Scale(zero=False, nice=True, padding=8))
    base = alt.Chart(data).encode(x=days_axis(data.height), y=y, tooltip=tips)
    shown: Any = base.mark_line(color=CHART["inflow"], strokeWidth=2.2) + base.mark_point(
        color=CHART["inflow"], filled=True, size=34 if data.height <= 45 else 12, opacity=1
    )
    if target is not None:
        rule = alt.Chart(pl.DataFrame({"value": [target], "name": [words("kpi.target")]})).encode(y="value:Q")
        shown = shown + rule.mark_rule(color=CHART["target"], strokeDash=[5, 4], strokeWidth=1.5)
        shown = shown + rule.mark_text(color=CHART["target"], align="left", dx=4, dy=-7, x=0, fontSize=12).encode(
            text="name:N"
        )
    return dressed(shown, words, 300)


def balance(days: pl.DataFrame, words: Words) -> Any:
    """Columns day, metered_m3, loss_m3: the whole bar is what was supplied, the orange part is lost."""
    names = {"metered_m3": words("water.metered"), "loss_m3": words("water.loss")}
    long = days.with_columns(pl.col("loss_m3").clip(lower_bound=0)).unpivot(
        on=list(names), index="day", variable_name="part", value_name="m3"
    )
    long = long.with_columns(
        pl.col("part").replace_strict(names).alias("name"), (pl.col("part") == "loss_m3").alias("last")
    )
    chart = (
        alt.Chart(long)
        .mark_bar(size=max(3, min(26, int(400 / max(days.height, 1)))))
        .encode(
            x=days_axis(days.height),
            y=alt.Y("sum(m3):Q", title=words.unit("m3"), stack="zero"),
            color=alt.Color(
                "name:N", scale=alt.Scale(domain=list(names.values()), range=[CHART["metered"], CHART["loss"]])
            ),
            order=alt.Order("last:O"),
            tooltip=[
                alt.Tooltip("day:T", timeUnit="utcyearmonthdate", format="%-d %B", title=words("app.day")),
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("sum(m3):Q", format=",.1f", title=words.unit("m3")),
            ],
        )
    )
    return dressed(chart, words)


def nights(days: pl.DataFrame, names: dict[str, str], words: Words) -> Any:
    """Columns day, zone_id, night_flow_m3_h: a line a zone, told apart by dash as well as colour."""
    data = days.filter(pl.col("night_flow_m3_h").is_not_null()).with_columns(
        pl.col("zone_id").replace(names).alias("name")
    )
    order = sorted(data["name"].unique().to_list())
    base = alt.Chart(data).encode(
        x=days_axis(data["day"].n_unique()),
        y=alt.Y("night_flow_m3_h:Q", title=words.unit("m3/h"), scale=alt.Scale(zero=True)),
        color=alt.Color(
            "name:N",
            scale=alt.Scale(domain=order, range=ZONE_COLOURS[: max(len(order), 1)]),
            legend=alt.Legend(symbolType="stroke", symbolSize=400, symbolStrokeWidth=2.5),
        ),
        tooltip=[
            alt.Tooltip("day:T", timeUnit="utcyearmonthdate", format="%-d %B", title=words("app.day")),
            alt.Tooltip("name:N", title=words("water.zone")),
            alt.Tooltip("night_flow_m3_h:Q", format=",.2f", title=words.unit("m3/h")),
        ],
    )
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=order, range=ZONE_DASHES[: max(len(order), 1)]))
    return dressed(
        base.mark_line(strokeWidth=2.2).encode(strokeDash=dash) + base.mark_point(filled=True, size=30), words
    )


def site_week(events: pl.DataFrame, words: Words) -> Any:
    """Columns day, name, trouble, events: stacked bars of the week, what needs cleaning on top in warm colours."""
    troubles = sorted(events.filter(pl.col("trouble"))["name"].unique().to_list())
    rest = sorted(events.filter(~pl.col("trouble"))["name"].unique().to_list())
    order = troubles + rest
    colours = [*TROUBLE_COLOURS[: len(troubles)], *REST_COLOURS[: len(rest)]]
    chart = (
        alt.Chart(events)
        .mark_bar(size=34)
        .encode(
            x=days_axis(events["day"].n_unique()),
            y=alt.Y("sum(events):Q", title=words("cleaning.events"), axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("name:N", scale=alt.Scale(domain=order, range=colours), legend=alt.Legend(columns=1)),
            order=alt.Order("trouble:O", sort="ascending"),
            tooltip=[
                alt.Tooltip("day:T", timeUnit="utcyearmonthdate", format="%-d %B", title=words("app.day")),
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("sum(events):Q", title=words("cleaning.events")),
            ],
        )
    )
    return dressed(chart, words, 220)


def crossing_hours(rows: pl.DataFrame, words: Words) -> Any:
    """Lightings by hour of the day, stacked: in time, late, for nobody."""
    names = [words(f"crossing.kind_{kind}") for kind in ("in_time", "late", "for_nobody")]
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("clock:O", title=words("crossing.hour"), axis=alt.Axis(labelAngle=0, labelOverlap="greedy")),
            y=alt.Y("lightings:Q", title=words("crossing.lightings"), axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("name:N", scale=alt.Scale(domain=names, range=["#2B8CB0", "#D2602F", "#A9B4BC"])),
            order=alt.Order("kind:N", sort="descending"),
            tooltip=[
                alt.Tooltip("clock:O", title=words("crossing.hour")),
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("lightings:Q", title=words("crossing.lightings")),
            ],
        )
    )
    return dressed(chart, words)
