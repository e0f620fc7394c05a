"""The crossings' week: lit before the first step or not, for nobody, lamps out of order; by hour and by crossing."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import streamlit as st

from apps.streamlit import charts, data, frame, parts, queries
from apps.streamlit.look import Level
from apps.streamlit.words import Words

WEEK = timedelta(days=7)
IN_TIME_GOOD, IN_TIME_WARN = 0.95, 0.8
"""Shares of crossings of the road that were lit before the first step: our own marks, no norm says any."""


def main() -> None:
    words = frame.words()
    with frame.page("crossing", frame.place().name(words.language)):
        first = words.today() - WEEK + timedelta(days=1)
        hours = data.marts(queries.CROSSING_HOURS, (first,))
        if hours.is_empty():
            parts.verdict("stale", words("crossing.empty"))
            parts.notice(words("crossing.empty_remedy"), command="gorodok demo")
            return
        _verdict(hours, words)
        parts.tiles(_tiles(hours, words))
        with frame.told(words):
            parts.heading(words("crossing.by_hour"), words("crossing.by_hour_note"))
            st.altair_chart(charts.crossing_hours(_by_hour(hours, words), words), key="crossing_hours")
        with frame.told(words):
            parts.heading(words("crossing.list"))
            _table(hours, words)
            parts.caption(words("crossing.how"))


def _verdict(hours: pl.DataFrame, words: Words) -> None:
    used, in_time = int(hours["used"].sum()), int(hours["lit_before_step"].sum())
    failures = int(hours["lamp_failures"].sum())
    if not used:
        parts.verdict("stale", words("crossing.unused"), words("crossing.lamps", count=failures) if failures else "")
        return
    level = "bad" if failures else share_level(in_time / used)
    parts.verdict(
        level,
        words("crossing.verdict", share=words.percent(in_time / used, 0)),
        words("crossing.lamps", count=failures) if failures else "",
    )


def share_level(share: float) -> Level:
    return "good" if share >= IN_TIME_GOOD else "warn" if share >= IN_TIME_WARN else "bad"


def _tiles(hours: pl.DataFrame, words: Words) -> list[parts.Tile]:
    used, in_time = int(hours["used"].sum()), int(hours["lit_before_step"].sum())
    lightings, false = int(hours["lightings"].sum()), int(hours["false_lightings"].sum())
    failures = int(hours["lamp_failures"].sum())
    share = in_time / used if used else None
    level: Level = "none" if share is None else share_level(share)
    wasted = words.percent(false / lightings if lightings else None, 0)
    return [
        parts.Tile(words("crossing.in_time"), words.percent(share, 1), level=level,
                   foot=words("crossing.of_used", done=in_time, all=used)),
        parts.Tile(words("crossing.lightings"), words.number(lightings, 0)),
        parts.Tile(words("crossing.people"), words.number(int(hours["people"].sum()), 0),
                   foot=words("crossing.by_camera")),
        parts.Tile(words("crossing.for_nobody"), words.number(false, 0),
                   foot=words("crossing.of_lightings", share=wasted)),
        parts.Tile(words("crossing.failures"), words.number(failures, 0), level="bad" if failures else "good"),
    ]  # fmt: skip


def _by_hour(hours: pl.DataFrame, words: Words) -> pl.DataFrame:
    """Lightings of the week by hour of the day: used in time, used late, for nobody."""
    told = hours.with_columns(pl.col("hour").dt.hour().alias("clock"))
    summed = told.group_by("clock").agg(
        pl.col("lit_before_step").sum().alias("in_time"),
        (pl.col("used") - pl.col("lit_before_step")).sum().alias("late"),
        pl.col("false_lightings").sum().alias("for_nobody"),
    )
    long = summed.unpivot(
        ["in_time", "late", "for_nobody"], index="clock", variable_name="kind", value_name="lightings"
    )
    names = {kind: words(f"crossing.kind_{kind}") for kind in ("in_time", "late", "for_nobody")}
    return long.with_columns(pl.col("kind").replace_strict(names).alias("name")).sort("clock", "kind")


def _table(hours: pl.DataFrame, words: Words) -> None:
    names = ("people", "lightings", "used", "lit_before_step", "false_lightings", "lamp_failures")
    sites = hours.group_by("site_id").agg(pl.col(name).sum() for name in names)
    worst = sites.sort(["lamp_failures", "site_id"], descending=[True, False])
    rows: list[list[parts.Cell | str]] = []
    for row in worst.iter_rows(named=True):
        share = row["lit_before_step"] / row["used"] if row["used"] else None
        failures = row["lamp_failures"]
        rows.append(
            [
                parts.Cell(frame.place().called(row["site_id"], words.language)),
                parts.Cell(words.percent(share, 0), share_level(share) if share is not None else "stale", number=True),
                parts.Cell(words.number(row["lightings"], 0), number=True),
                parts.Cell(words.number(row["people"], 0), number=True),
                parts.Cell(words.number(row["false_lightings"], 0), number=True),
                parts.Cell(words.number(failures, 0), "bad" if failures else None, number=True),
            ]
        )
    columns = ("site", "in_time", "lightings", "people", "for_nobody", "failures")
    parts.table([words(f"crossing.{name}") for name in columns], rows)


main()
