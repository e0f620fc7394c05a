"""Cleaning: every waste site with what its camera saw last, how long ago, and the work that is open; worst first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from apps.streamlit import charts, data, frame, judge, maps, parts, queries
from apps.streamlit.data import Trouble
from apps.streamlit.look import RGB
from apps.streamlit.words import Words

WEEK = timedelta(days=7)


def main() -> None:
    words = frame.words()
    with frame.page("cleaning", frame.place().name(words.language)):
        now = frame.now()
        sites = judge.sites(_rows(), now)
        if not sites:
            parts.verdict("stale", words("cleaning.empty"))
            parts.notice(words("cleaning.empty_remedy"), command="gorodok demo")
            return
        _verdict(sites, words)
        left, right = st.columns([2, 3], gap="medium")
        with left, frame.told(words):
            parts.heading(words("cleaning.map"))
            _map(sites, words, now)
        with right, frame.told(words):
            parts.heading(words("cleaning.list"))
            _list(sites, words, now)
        with frame.told(words):
            _week(words, now)


def _rows() -> list[dict[str, Any]]:
    """The mart's sites, with a newer last event from the city state where there is one; state alone without a lake."""
    try:
        rows = {row["site_id"]: dict(row) for row in data.marts(queries.SITES).iter_rows(named=True)}
    except Trouble as trouble:
        rows = {}
        if data.state("camera_event").is_empty():
            raise trouble from None
    for seen in data.state("camera_event").iter_rows(named=True):
        told = judge.payload(seen)
        site = str(told.get("site_id", ""))
        row = rows.setdefault(site, dict.fromkeys(_COLUMNS) | {"site_id": site})
        if row["last_event_at"] is None or seen["event_at"] > row["last_event_at"]:
            row |= {
                "last_event_at": seen["event_at"],
                "last_class": told.get("class_name"),
                "last_confidence": told.get("confidence"),
                "frame_ref": told.get("frame_ref"),
            }
    return [row for row in rows.values() if frame.place().is_waste_site(row["site_id"])]


_COLUMNS = (
    "site_id", "last_event_at", "last_class", "last_confidence", "events_7d", "open_tasks",
    "latitude", "longitude", "camera_id", "frame_ref",
)  # fmt: skip


def _name(site: judge.Site, words: Words) -> str:
    return frame.place().called(site.site_id, words.language)


def _verdict(sites: list[judge.Site], words: Words) -> None:
    bad = [site for site in sites if site.level == "bad"]
    blind = sum(site.level == "stale" for site in sites)
    note = words("cleaning.blind", count=blind) if blind else ""
    if bad:
        parts.verdict("bad", words("cleaning.bad", count=len(bad), first=_name(bad[0], words)), note)
    elif blind == len(sites):
        parts.verdict("stale", note)
    else:
        parts.verdict("warn" if blind else "good", words("cleaning.good", count=len(sites) - blind), note)


def _seen(site: judge.Site, words: Words) -> str:
    return words.maybe(f"seen.{site.last_class}", site.last_class or words("app.no_data"))


def _map(sites: list[judge.Site], words: Words, now: datetime) -> None:
    place = frame.place()
    points = []
    for site in reversed(sites):  # the worst are drawn last, on top
        own = (site.latitude, site.longitude) if site.latitude is not None and site.longitude is not None else None
        where = place.where(site.site_id) or own
        if where is not None:
            tip = [
                _name(site, words),
                words(f"cleaning.level_{site.level}"),
                _seen(site, words),
                words.age(site.last_at, now),
            ]
            points.append(maps.Point(site.site_id, *where, RGB[site.level], tip, faded=site.level == "stale"))
    if not points:
        parts.notice(words("cleaning.no_places"))
        return
    layer = maps.PointLayer("sites", points, radius_px=9)
    st.pydeck_chart(
        maps.deck(place, [layer]), height=430, key="sites_map", alt=words("home.map_alt", what=words("cleaning.map"))
    )
    levels = [level for level in ("bad", "warn", "stale", "good") if any(site.level == level for site in sites)]
    parts.legend(
        (RGB[level], words(f"cleaning.level_{level}"), str(sum(site.level == level for site in sites)))  # type: ignore[index]
        for level in levels
    )


def _list(sites: list[judge.Site], words: Words, now: datetime) -> None:
    rows = []
    for site in sites:
        sure = words("cleaning.sure", share=words.percent(site.confidence, 0)) if site.confidence is not None else ""
        rows.append(
            [
                parts.Cell(_name(site, words), note=", ".join(filter(None, (_seen(site, words), sure)))),
                parts.Cell(words(f"cleaning.level_{site.level}"), site.level),
                parts.Cell(words.age(site.last_at, now), number=True),
                parts.Cell(words.number(site.open_tasks, 0), number=True),
            ]
        )
    parts.table([words(f"cleaning.{name}") for name in ("site", "state", "age", "tasks")], rows)


def _week(words: Words, now: datetime) -> None:
    events = data.marts(
        queries.SITE_DAYS, (str(frame.words().zone), now.replace(minute=0, second=0, microsecond=0) - WEEK)
    )
    events = events.filter(pl.col("site_id").map_elements(frame.place().is_waste_site, return_dtype=pl.Boolean))
    if events.is_empty():
        return
    named = events.with_columns(
        pl.col("class_name")
        .map_elements(lambda name: words.maybe(f"seen.{name}", words("cleaning.other")), return_dtype=pl.String)
        .alias("name")
    )
    parts.heading(words("cleaning.week_title"), words("cleaning.week_note"))
    summed = (
        named.with_columns(
            pl.col("class_name").is_in(judge.SITE_TROUBLE).alias("trouble"),
        )
        .group_by("day", "name", "trouble")
        .agg(pl.col("events").sum())
        .sort("day", "name")
    )
    st.altair_chart(charts.site_week(summed, words), key="site_week")


main()
