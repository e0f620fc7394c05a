"""Section "balance": the IWA balance as a Sankey with its bounds and roubles, its table, the nights and their bands."""

from __future__ import annotations

import math
from datetime import date

import polars as pl
import streamlit as st

from apps.streamlit import frame, parts
from apps.streamlit.water import drawing, facts, queries, sankey
from apps.streamlit.words import Words

NIGHT_CHARTS = 6
TERMS = ("billed_metered", "billed_unmetered", "unbilled", "apparent", "real")


def volumes(days: pl.DataFrame) -> sankey.Volumes | None:
    """Sum of balance days; half-width of losses: a meter's error is the same on its days, zones are independent."""
    if days.is_empty():
        return None
    halves = days.group_by("zone_id").agg(((pl.col("losses_high_m3") - pl.col("losses_low_m3")) / 2).sum().alias("pm"))
    sums = {name: float(days[f"{name}_m3"].fill_null(0).sum()) for name in TERMS}
    return sankey.Volumes(**sums, losses_pm=math.sqrt(float((halves["pm"] ** 2).sum())))


def of_zone(days: pl.DataFrame, zone: str | None) -> pl.DataFrame:
    return days if zone is None or days.is_empty() else days.filter(pl.col("zone_id") == zone)


def show(chosen: tuple[date, date], zone: str | None, words: Words) -> bool:
    """Whether nights with their bands were shown."""
    days = of_zone(facts.optional(queries.BALANCE_DAYS, chosen), zone)
    parts.heading(words("loss.balance"), words("loss.balance_note"))
    told = volumes(days)
    if told is None:
        parts.notice(words("loss.balance_empty"), words("loss.balance_remedy"), "gorodok build")
    else:
        sankey.show(told, words)
        _say(told, days, words)
    return _nights(chosen, zone, words)


def _say(told: sankey.Volumes, days: pl.DataFrame, words: Words) -> None:
    lost = told.apparent + told.real
    parts.caption(
        words(
            "loss.bounds",
            loss=words.quantity(round(lost), "m3"),
            pm=words.number(told.losses_pm, 0),
            rub=words.quantity(round(float(days["losses_rub"].fill_null(0).sum())), "RUB"),
        )
    )
    if told.real < 0:
        parts.notice(words("loss.real_negative", real=words.quantity(told.real, "m3")))
    estimated = float(days["estimated_m3"].fill_null(0).sum())
    metered = told.billed_metered
    if metered > 0 and estimated / metered > 0.05:
        parts.caption(words("loss.estimated", share=words.percent(estimated / metered, 0)))


def _nights(chosen: tuple[date, date], zone: str | None, words: Words) -> bool:
    nights = of_zone(facts.optional(queries.NIGHTS, chosen), zone)
    if nights.is_empty():
        return False
    parts.heading(words("loss.nights"), words("loss.nights_note"))
    worst = (
        nights.sort("day").group_by("zone_id").agg(pl.col("night_min_m3_h").last() - pl.col("usual_m3_h").last())
        .sort("night_min_m3_h", descending=True, nulls_last=True)["zone_id"].to_list()[:NIGHT_CHARTS]
    )  # fmt: skip
    columns = st.columns(len(worst) if len(worst) <= 3 else 3, gap="medium")
    for index, zone_id in enumerate(worst):
        rows = nights.filter(pl.col("zone_id") == zone_id)
        with columns[index % len(columns)]:
            last = rows.filter(pl.col("night_min_m3_h").is_not_null()).sort("day").tail(1)
            high = bool(last["is_high"][0]) if last.height else False
            flow = words.quantity(last["night_min_m3_h"][0] if last.height else None, "m3/h")
            name = frame.place().called(zone_id, words.language)
            parts.heading(name, f"{flow} · {words('loss.night_high') if high else words('loss.night_usual')}")
            st.altair_chart(drawing.night_band(rows, words), key=f"band_{zone_id}")
    return True
