"""Water loss: what went in against what was metered, by zone and day; what runs at night; where to look first."""

from __future__ import annotations

import math
from datetime import date, timedelta

import polars as pl
import streamlit as st

from apps.streamlit import charts, data, frame, judge, parts, queries
from apps.streamlit.look import Level
from apps.streamlit.words import Words

SPANS = (7, 30, 90)
FAR_OFF = 1.5  # half as much again as the city's own target is bad, less is a warning
FULL_COVER = 0.9


def main() -> None:
    words = frame.words()
    with frame.page("water", frame.place().name(words.language)):
        span = data.marts(queries.ZONE_SPAN)
        if span.is_empty() or span["last_day"][0] is None:
            parts.verdict("stale", words("water.empty"))
            parts.notice(words("water.empty_remedy"), command=words("water.empty_command"))
            return
        first, last = span["first_day"][0], span["last_day"][0]
        before = data.marts(queries.ZONE_DAYS, (last - timedelta(days=35), last))
        _verdict(judge.worst_zone(before), words)
        chosen = _choose(first, last, words)
        days = data.marts(queries.ZONE_DAYS, chosen)
        zone = _zone(days, words)
        shown = days if zone is None else days.filter(pl.col("zone_id") == zone)
        _tiles(shown, words)
        left, right = st.columns(2, gap="medium")
        with left:
            parts.heading(words("water.by_day"), words("water.by_day_note"))
            sums = shown.group_by("day").agg(pl.col("metered_m3").sum(), pl.col("loss_m3").sum()).sort("day")
            st.altair_chart(charts.balance(sums, words), key="balance")
        with right:
            parts.heading(words("water.night_title"), words("water.night_note"))
            names = {zone_id: _name(zone_id, words) for zone_id in days["zone_id"].unique().to_list()}
            st.altair_chart(charts.nights(shown, names, words), key="nights")
        parts.heading(words("water.zones"), words("water.zones_note"))
        _table(days, words)


def _level(share: float | None) -> Level:
    """Against the city's own norm (city.toml, norms.water.loss_share_target)."""
    target = frame.place().loss_target
    if share is None or math.isnan(share):
        return "none"
    return "good" if share <= target else "warn" if share <= FAR_OFF * target else "bad"


def _name(zone_id: str, words: Words) -> str:
    return frame.place().called(zone_id, words.language)


def _verdict(found: judge.ZoneFinding | None, words: Words) -> None:
    if found is None:
        parts.verdict("stale", words("water.empty"))
        return
    zone, day = _name(found.zone_id, words), words.day(found.day)
    share = words.percent(found.loss_share)
    loss = words.quantity(abs(found.loss_m3), "m3")
    night = ""
    if found.night_flow_m3_h is not None:
        flow = words.quantity(found.night_flow_m3_h, "m3/h")
        if found.night_rise is None:
            night = words("water.night_only", night=flow)
        elif found.night_rise > judge.NIGHT_RISE:
            night = words("water.night_up", night=flow, rise=words.percent(found.night_rise, 0))
        else:
            night = words("water.night_flat", night=flow)
    if found.loss_m3 < 0:
        parts.verdict("warn", words("water.negative", zone=zone, day=day, loss=loss))
    elif _level(found.loss_share) == "good":
        parts.verdict("good", words("water.small", zone=zone, day=day, loss=loss, share=share), night)
    else:
        rising = found.night_rise is not None and found.night_rise > judge.NIGHT_RISE
        parts.verdict(
            "bad" if rising else "warn", words("water.worst", zone=zone, day=day, loss=loss, share=share), night
        )


def _choose(first: date, last: date, words: Words) -> tuple[date, date]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        length = st.segmented_control(
            words("app.period"),
            [*SPANS, 0],
            default=30,
            format_func=lambda days: words("water.days", count=days) if days else words("water.custom"),
            key="water_span",
            required=True,
        )
        if length:
            return max(first, last - timedelta(days=length - 1)), last
        picked = st.date_input(
            words("app.from_to"),
            (max(first, last - timedelta(days=13)), last),
            min_value=first,
            max_value=last,
            format="DD.MM.YYYY",
            key="water_days",
            width=260,
        )
    both = picked if isinstance(picked, tuple) else (picked,)
    return (both[0], both[-1]) if both else (first, last)


def _zone(days: pl.DataFrame, words: Words) -> str | None:
    zones = sorted(days["zone_id"].unique().to_list())
    if len(zones) < 2:
        return None
    picked = st.pills(
        words("water.zone"),
        ["", *zones],
        default="",
        format_func=lambda zone: _name(zone, words) if zone else words("water.all_zones"),
        key="water_zone",
    )
    return picked or None


def _tiles(days: pl.DataFrame, words: Words) -> None:
    known = days.filter(pl.col("loss_m3").is_not_null())
    by_day = known.group_by("day").agg(pl.col("inflow_m3", "metered_m3", "loss_m3").sum()).sort("day")
    inflow, loss = float(known["inflow_m3"].sum()), float(known["loss_m3"].sum())
    share = loss / inflow if inflow else None
    night = days.filter(pl.col("night_flow_m3_h").is_not_null()).group_by("day").agg(pl.col("night_flow_m3_h").sum())
    flows = night.sort("day")["night_flow_m3_h"].to_list()
    level = _level(share)
    total = words("water.total").lower()
    parts.tiles(
        [
            parts.Tile(words("water.inflow"), words.number(inflow, 0), words.unit("m3"), foot=total,
                       history=by_day["inflow_m3"].to_list()),
            parts.Tile(words("water.metered"), words.number(float(known["metered_m3"].sum()), 0), words.unit("m3"),
                       foot=total, history=by_day["metered_m3"].to_list()),
            parts.Tile(words("water.loss"), words.number(loss, 0), words.unit("m3"), level, foot=total,
                       history=by_day["loss_m3"].to_list()),
            parts.Tile(words("water.share"), words.percent(share), "", level, foot=total,
                       history=(by_day["loss_m3"] / by_day["inflow_m3"]).to_list()),
            parts.Tile(words("water.night"), words.number(flows[-1] if flows else None), words.unit("m3/h"),
                       foot=words.day(night["day"].max()) if flows else "", history=flows),  # type: ignore[arg-type]
        ]
    )  # fmt: skip
    cover = days["metered_covered_share"].mean()
    if isinstance(cover, float) and cover < FULL_COVER:
        parts.caption(words("water.covered", share=words.percent(cover, 0)))


def _table(days: pl.DataFrame, words: Words) -> None:
    zones = (
        days.group_by("zone_id")
        .agg(
            pl.col("inflow_m3", "metered_m3", "loss_m3").sum(),
            pl.col("night_flow_m3_h").sort_by("day").last(),
            pl.col("metered_covered_share").mean().alias("covered_share"),
        )
        .with_columns((pl.col("loss_m3") / pl.col("inflow_m3")).alias("share"))
        .sort("share", descending=True, nulls_last=True)
    )
    rows: list[list[parts.Cell | str]] = []
    for zone in zones.iter_rows(named=True):
        share = zone["share"]
        rows.append(
            [
                _name(zone["zone_id"], words),
                parts.Cell(words.percent(share), _level(share), number=True),
                parts.Cell(words.quantity(zone["loss_m3"], "m3"), number=True),
                parts.Cell(words.quantity(zone["inflow_m3"], "m3"), number=True),
                parts.Cell(words.quantity(zone["metered_m3"], "m3"), number=True),
                parts.Cell(words.quantity(zone["night_flow_m3_h"], "m3/h"), number=True),
                parts.Cell(words.percent(zone["covered_share"], 0), number=True),
            ]
        )
    parts.table(
        [words(f"water.{name}") for name in ("zone", "share", "loss", "inflow", "metered", "night", "coverage")], rows
    )


main()
