"""Home: what is wrong now, the figures of the day, the city live, and whether its feeds flow."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import streamlit as st

from apps.streamlit import data, frame, judge, kpis, layers, maps, parts, queries
from apps.streamlit.words import Words
from ingest.contracts import CONTRACTS

MOVE_S = 3
LOOK_S = 10
TILES = 12
LIVE_FEEDS = ("vehicle_position", "camera_event", "complaint", "alert", "incident")


def main() -> None:
    words = frame.words()
    with frame.page("home", f"{frame.place().name(words.language)}, {words.day(words.today())}"):
        attention()
        with frame.told(words):
            figures(words)
        left, right = st.columns([3, 2], gap="medium")
        with left, frame.told(words):
            parts.heading(words("home.map"), words("home.map_note"))
            live_map()
        with right, frame.told(words):
            parts.heading(words("home.feeds"))
            feeds_now()


@st.fragment(run_every=LOOK_S)
def attention() -> None:
    """The verdict, and one line for each thing that is wrong now."""
    words, now = frame.words(), frame.now()
    with frame.told(words):
        feeds = judge.feeds(data.heard(), now)
        incidents = judge.incidents(data.state("incident"))
        silent = [feed for feed in feeds if feed.state == "silent"]
        _verdict(words, now, feeds, incidents, silent)
        if any(feed.last_at for feed in feeds) and not data.gateway_runs():
            parts.notice(words("home.gateway_down"), command=words("home.gateway_command"))
        rows: list[list[parts.Cell | str]] = [
            [
                parts.Cell(one.title, one.level, note=(one.detail or "")[:240]),
                words.maybe(f"severity.{one.severity}", one.severity),
                parts.Cell(words.age(one.at, now), number=True),
            ]
            for one in incidents[:8]
        ]
        # a silent feed usually has its own incident; the line is only for those that nobody reported yet
        reported = {one.subject for one in incidents if one.kind == "feed_silent"}
        rows += [
            [
                parts.Cell(f"{words('incident.feed_silent').capitalize()}: {feed_title(feed.code, words)}", "bad"),
                words("status.silent"),
                parts.Cell(words.age(feed.last_at, now), number=True),
            ]
            for feed in silent
            if feed.code not in reported
        ]
        if rows:
            parts.heading(words("home.now"))
            parts.table([words("home.subject"), words("home.state"), words("home.age")], rows)


def _verdict(
    words: Words,
    now: datetime,
    feeds: list[judge.Feed],
    incidents: list[judge.Incident],
    silent: list[judge.Feed],
) -> None:
    last = max((feed.last_at for feed in feeds if feed.last_at is not None), default=None)
    if last is None:
        parts.verdict("stale", words("home.waiting"), words("home.waiting_detail"))
        parts.notice(words("home.start"), command="gorodok demo")
        return
    if all(feed.state != "live" for feed in feeds):
        parts.verdict("bad", words("home.all_silent", age=words.age(last, now)))
        return
    wrong = [words("home.incidents", count=len(incidents))] if incidents else []
    wrong += [words("home.silent", count=len(silent))] if silent else []
    if not wrong:
        parts.verdict("good", words("home.calm"))
        return
    grave = any(one.severity != "minor" for one in incidents) or silent
    parts.verdict("bad" if grave else "warn", words("home.attention", what=", ".join(wrong)))


def feed_title(code: str, words: Words) -> str:
    spec = CONTRACTS[code].spec
    return spec.title_ru if words.language == "ru" else spec.title_en


def figures(words: Words) -> None:
    """The KPIs of the last computed day, the ones off target first."""
    city = data.current().city
    found = list(kpis.latest(data.marts(queries.KPI_RECENT, (city, kpis.TREND_DAYS))).values())
    if not found:
        parts.notice(words("home.no_kpi"), words("home.no_kpi_remedy"), "gorodok build")
        return
    day = max(item.day for item in found)
    late = (words.today() - day).days
    note = words("home.kpi_day", day=words.day(day))
    if late > 1:
        note = words("home.kpi_old", day=words.day(day), age=words("age.ago", span=words("age.days", count=late)))
    parts.heading(words("home.kpi"), note)
    parts.tiles(_tile(item, words) for item in _order(found, words)[:TILES])


def _order(found: list[kpis.Latest], words: Words) -> list[kpis.Latest]:
    """Today's and yesterday's first, the ones off target before the others."""
    return sorted(kpis.worst_first(found), key=lambda item: (words.today() - item.day).days > 1)


def _tile(item: kpis.Latest, words: Words) -> parts.Tile:
    stale = (words.today() - item.day).days > 1
    change = words.number(item.change, sign=True) if item.change is not None else "0"
    target = words("home.no_target")
    if item.target is not None:
        target = words("home.target", sign=kpis.sign(item.better), value=words.number(item.target))
    return parts.Tile(
        label=kpis.title(item.code, words),
        value=words.number(item.value),
        unit=words.unit(item.unit),
        level="stale" if stale else item.level,
        change="" if stale or change in ("0", "—") else words("home.since", change=change, day=_short(item)),
        change_level=item.change_level,
        foot=words.day(item.day) if stale else target,
        history=item.history,
        target=item.target,
        link=f"kpi?code={item.code}&lang={words.language}",
    )


def _short(item: kpis.Latest) -> str:
    return f"{item.before_day:%d.%m}" if item.before_day else "—"


@st.fragment(run_every=MOVE_S)
def live_map() -> None:
    """Everything that tells its place, moved as it moves."""
    words, now, place = frame.words(), frame.now(), frame.place()
    with frame.told(words):
        latest = data.state()
        shown = [layers.layer(feed, latest.filter(pl.col("feed") == feed), place, words, now) for feed in LIVE_FEEDS]
        shown = [layer for layer in shown if layer.points]
        if not shown:
            parts.notice(words("home.map_empty"), words("home.map_empty_remedy"), "gorodok demo")
            return
        told = ", ".join(f"{feed_title(layer.name, words)}: {len(layer.points)}" for layer in shown)
        deck = maps.deck(place, shown, light=True)
        st.pydeck_chart(deck, height=430, key="live_map", alt=words("home.map_alt", what=told))
        parts.legend(
            (layers.COLOURS[layer.name], feed_title(layer.name, words), str(len(layer.points))) for layer in shown
        )
        if any(point.faded for layer in shown for point in layer.points):
            parts.caption(words("home.stale_note"))


@st.fragment(run_every=LOOK_S)
def feeds_now() -> None:
    """One line a feed: does it flow."""
    words, now = frame.words(), frame.now()
    with frame.told(words):
        rows = [
            [
                parts.Cell(feed_title(feed.code, words)),
                parts.Cell(words(f"status.{feed.state}"), feed.level),
                parts.Cell(words.age(feed.last_at, now), number=True),
            ]
            for feed in judge.feeds(data.heard(), now)
        ]
        columns = [words(f"home.{name}") for name in ("feed", "state", "last")]
        parts.table(columns, rows)


main()
