"""Section "survey": whom an inspector should see today, in which order, and why; suspicions, never verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl
import streamlit as st

from apps.streamlit import data, frame, maps, parts
from apps.streamlit.look import RGB
from apps.streamlit.water import facts, queries
from apps.streamlit.words import Words
from domains.water.survey import Stop, Suspicion, plan_route, suspicions

STOPS = 15


def found(tariff_rub_m3: float) -> list[Suspicion]:
    """The most roubles first."""
    houses, flags = facts.optional(queries.HOUSES), facts.optional(queries.FLAGS)
    return suspicions(houses, flags, tariff_rub_m3=tariff_rub_m3)


def route(found: Sequence[Suspicion]) -> list[Stop]:
    place = frame.place()
    where = {one.house_id: point for one in found if (point := place.where(one.house_id)) is not None}
    return plan_route(found, where, start=(place.latitude, place.longitude), stops=STOPS)


def show(found: Sequence[Suspicion], zone: str | None, words: Words, now: datetime) -> None:
    mine = [one for one in found if zone is None or one.zone_id == zone]
    if not mine:
        parts.notice(words("loss.no_suspicions"), words("loss.no_suspicions_remedy"))
        _visits(words, now)
        return
    stops = route(mine)
    walk_km = sum(stop.metres for stop in stops) / 1_000
    worth = sum(stop.suspicion.expected_rub for stop in stops)
    parts.tiles(
        [
            parts.Tile(words("loss.stops"), words.number(len(stops)), foot=words("loss.of_houses", count=len(mine))),
            parts.Tile(words("loss.walk"), words.number(walk_km), words.unit("km")),
            parts.Tile(words("loss.worth"), words.number(round(worth)), words.unit("RUB"),
                       foot=words("loss.worth_note")),
        ]
    )  # fmt: skip
    left, right = st.columns([2, 3], gap="medium")
    with left:
        points = [
            maps.Point(
                stop.suspicion.house_id, *stop.place, RGB["good"],
                [frame.place().called(stop.suspicion.house_id, words.language),
                 words.quantity(round(stop.suspicion.expected_rub), "RUB")],
                str(number),
            )
            for number, stop in enumerate(stops, 1)
        ]  # fmt: skip
        st.pydeck_chart(
            maps.deck(frame.place(), [maps.PointLayer("stops", points, 10)], light=True), height=420, key="survey_map"
        )
    with right:
        index = 0 if words.language == "ru" else 1
        rows: list[list[parts.Cell | str]] = [
            [
                parts.Cell(f"{number}. {_house(stop.suspicion, words)}",
                           note="; ".join(pair[index] for pair in stop.suspicion.reasons)[:400]),
                parts.Cell(words.quantity(round(stop.suspicion.expected_rub), "RUB"), number=True),
                parts.Cell(words.quantity(round(stop.metres), "m"), number=True),
            ]
            for number, stop in enumerate(stops, 1)
        ]  # fmt: skip
        parts.table([words("loss.stop"), words("loss.expected"), words("loss.from_before")], rows)
    parts.caption(words("loss.suspicion_note"))
    parts.notice(words("loss.phone"), words("loss.phone_remedy"), "gorodok survey serve")
    _visits(words, now)


def _house(one: Suspicion, words: Words) -> str:
    return frame.place().called(one.house_id, words.language).removeprefix("г. Городок, ")


def _visits(words: Words, now: datetime) -> None:
    """What inspectors brought: marts, and what came since (without names and notes: they are personal)."""
    rows = facts.optional(queries.VISITS)
    fresh = data.state("meter_visit").height
    if rows.is_empty() and not fresh:
        return
    parts.heading(words("loss.visits"))
    if not rows.is_empty():
        by_result = rows.group_by("result").agg(pl.col("visits").sum()).sort("visits", descending=True)
        parts.legend(
            (RGB["good"], words(f"visit.{row['result']}"), str(row["visits"]))
            for row in by_result.iter_rows(named=True)
        )
    if fresh:
        parts.caption(words("loss.visits_heard", count=fresh))
