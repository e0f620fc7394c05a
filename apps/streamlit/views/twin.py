"""Digital twin: the last state of every entity on the city's map, one layer a feed, and what one thing said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import streamlit as st

from apps.streamlit import data, frame, judge, layers, maps, parts
from apps.streamlit.look import Level
from apps.streamlit.maps import PointLayer
from apps.streamlit.words import Words
from ingest.contracts import CONTRACTS

FEEDS = (
    "vehicle_position",
    "meter_reading",
    "scada_reading",
    "camera_event",
    "complaint",
    "alert",
    "incident",
)
TABLE_ROWS = 300


def main() -> None:
    words = frame.words()
    with frame.page("twin", frame.place().name(words.language)):
        latest = data.state().filter(pl.col("feed").is_in(FEEDS))
        if latest.is_empty():
            parts.verdict("stale", words("twin.empty"), words("twin.empty_detail"))
            parts.notice(words("home.start"), command="gorodok demo")
            return
        now = frame.now()
        _verdict(latest, words, now)
        chosen = _choose(latest, words)
        left, right = st.columns([5, 2], gap="medium")
        with left, frame.told(words):
            picked = _map(latest, chosen, words, now)
        with right, frame.told(words):
            parts.heading(words("twin.details"))
            _details(latest, picked, words, now)
        with frame.told(words):
            _table(latest, chosen, words, now)


def title(code: str, words: Words) -> str:
    spec = CONTRACTS[code].spec
    return spec.title_ru if words.language == "ru" else spec.title_en


def _verdict(latest: pl.DataFrame, words: Words, now: datetime) -> None:
    moments = zip(latest["feed"], latest["event_at"], strict=True)
    fresh = sum(not layers.is_stale(feed, at, now) for feed, at in moments)
    text = words(
        "twin.verdict",
        entities=words("twin.entities", count=latest.height),
        feeds=words("twin.of_feeds", count=latest["feed"].n_unique()),
        fresh=words.percent(fresh / latest.height, 0),
    )
    parts.verdict("good" if fresh >= 0.9 * latest.height else "warn" if fresh else "bad", text)


def _choose(latest: pl.DataFrame, words: Words) -> list[str]:
    present = [feed for feed in FEEDS if feed in set(latest["feed"])]
    return st.pills(
        words("twin.layers"),
        present,
        selection_mode="multi",
        default=present,
        format_func=lambda feed: title(feed, words),
        key="layers",
    )


def _map(latest: pl.DataFrame, chosen: list[str], words: Words, now: datetime) -> tuple[str, str] | None:
    """Draws the map; (feed, entity) that was clicked."""
    place = frame.place()
    shown = [layers.layer(feed, latest.filter(pl.col("feed") == feed), place, words, now) for feed in chosen]
    if not chosen:
        parts.notice(words("twin.layer_empty"))
    areas = maps.alert_areas(layers.rings(latest, now)) if "alert" in chosen else []
    said = ", ".join(f"{title(layer.name, words)}: {len(layer.points)}" for layer in shown)
    event: Any = st.pydeck_chart(
        maps.deck(place, shown, areas=areas),
        height=560,
        key="twin_map",
        on_select="rerun",
        selection_mode="single-object",
        alt=words("home.map_alt", what=said),
    )
    parts.legend((layers.COLOURS[layer.name], title(layer.name, words), str(len(layer.points))) for layer in shown)
    parts.caption(_caption(shown, latest, chosen, words))
    for feed, objects in (event.selection.objects if event else {}).items():
        if objects and feed in FEEDS:
            return feed, str(objects[0].get("entity"))
    return None


def _caption(shown: list[PointLayer], latest: pl.DataFrame, chosen: list[str], words: Words) -> str:
    placeless = latest.filter(pl.col("feed").is_in(chosen) & ~pl.col("feed").is_in(["meter_reading"])).height
    placeless -= sum(len(layer.points) for layer in shown if layer.name != "meter_reading")
    notes = [words("home.stale_note")]
    if placeless > 0:
        notes.append(words("twin.no_place", count=placeless))
    return "; ".join(notes)


def _details(latest: pl.DataFrame, picked: tuple[str, str] | None, words: Words, now: datetime) -> None:
    if picked is None:
        parts.notice(words("twin.hint"))
        return
    feed, entity = picked
    rows = latest.filter((pl.col("feed") == feed) & (pl.col("entity") == entity))
    if rows.is_empty() and feed == "meter_reading":
        _house(latest, entity, words, now)
    elif rows.is_empty():
        parts.notice(words("twin.gone"))
    else:
        parts.facts(_facts(rows.row(0, named=True), words, now))


def _facts(row: dict[str, Any], words: Words, now: datetime) -> list[tuple[str, str]]:
    personal = layers.personal_fields(row["feed"])
    told = {name: value for name, value in judge.payload(row).items() if name not in personal}
    facts = [
        (words("twin.feed"), title(row["feed"], words)),
        (words("twin.entity"), frame.place().called(row["entity"], words.language)),
        (words("twin.says"), "; ".join(layers.describe(row["feed"], row, words))),
        (words("twin.event_at"), words.stamp(row["event_at"])),
        (words("twin.age"), words.age(row["event_at"], now)),
        (words("twin.clock"), words(f"twin.clock_{row['clock_status']}")),
    ]
    skipped = {"event_time", "timestamp", "latitude", "longitude", "lat", "long", "info", "boot_id", "sequence"}
    return facts + [
        (name, str(value)[:200]) for name, value in told.items() if name not in skipped and value not in (None, [], "")
    ]


def _house(latest: pl.DataFrame, house: str, words: Words, now: datetime) -> None:
    """The meters of a house: how many, by medium, and the newest reading; no flat's own figures."""
    meters = latest.filter(pl.col("feed") == "meter_reading")
    mine = [row for row in meters.iter_rows(named=True) if judge.payload(row).get("house_id") == house]
    if not mine:
        parts.notice(words("twin.gone"))
        return
    newest = max(row["event_at"] for row in mine)
    media: dict[str, int] = {}
    for row in mine:
        medium = str(judge.payload(row).get("medium", ""))
        media[medium] = media.get(medium, 0) + 1
    facts = [
        (words("twin.entity"), frame.place().called(house, words.language)),
        (words("twin.feed"), title("meter_reading", words)),
        *(
            (words.maybe(f"medium.{medium}", medium), words("twin.meters", count=count))
            for medium, count in media.items()
        ),
        (words("twin.event_at"), words.stamp(newest)),
        (words("twin.age"), words.age(newest, now)),
    ]
    parts.facts(facts)


def _table(latest: pl.DataFrame, chosen: list[str], words: Words, now: datetime) -> None:
    with st.expander(words("app.as_table")):
        sought = st.text_input(words("twin.search"), key="twin_search").strip().lower()
        rows = []
        for row in latest.filter(pl.col("feed").is_in(chosen)).sort("event_at", descending=True).iter_rows(named=True):
            if row["feed"] == "meter_reading":
                continue  # a meter is a household's: the map shows houses
            says = "; ".join(layers.describe(row["feed"], row, words))
            if sought and sought not in f"{row['entity']} {says}".lower():
                continue
            level: Level | None = "stale" if layers.is_stale(row["feed"], row["event_at"], now) else None
            rows.append(
                [row["entity"], title(row["feed"], words), says, parts.Cell(words.age(row["event_at"], now), level)]
            )
            if len(rows) == TABLE_ROWS:
                break
        parts.table([words(f"twin.{name}") for name in ("entity", "feed", "says", "age")], rows)
        parts.caption(words("app.rows_shown", count=len(rows)))


main()
