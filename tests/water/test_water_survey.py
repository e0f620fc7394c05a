"""Suspicions by hand, and routes that are never longer than visiting by rank."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.water.survey import CHANCE, PAYS_FOR_DAYS, Suspicion, plan_route, suspicions, walk_m

START = (57.59, 39.89)


def houses(**excess: float) -> pl.DataFrame:
    """Ten days of houses: excess m3 a day; the error is 0.5."""
    return pl.DataFrame(
        [
            {
                "day": date(2026, 3, 1) + timedelta(days=day), "house_id": house, "medium": "cold_water",
                "zone_id": "z", "house_m3": 10.0, "excess_m3": value, "excess_pm_m3": 0.5,
            }
            for house, value in excess.items()
            for day in range(10)
        ]
    )  # fmt: skip


def flags(*rows: dict[str, Any]) -> pl.DataFrame:
    first = {"meter_key": "k", "kind": "stuck", "is_open": True, "house_id": "a", "zone_id": "z", "reason_ru": "стоит",
             "reason_en": "stands", "raised_at": datetime(2026, 3, 1)}  # fmt: skip
    return pl.DataFrame([{**first, **row} for row in rows]) if rows else pl.DataFrame()


def test_the_most_roubles_come_first_with_reasons() -> None:
    found = suspicions(houses(a=0.2, b=1.0, c=3.0, d=-2.0), flags({"house_id": "a"}), tariff_rub_m3=32)
    assert [one.house_id for one in found] == ["c", "d", "b", "a"]
    assert found[0].kinds == ("unmetered_use",)
    assert found[0].expected_rub == CHANCE["unmetered_use"] * 3.0 * 32 * PAYS_FOR_DAYS
    assert "на 3.00 м³/сут. больше" in found[0].reasons[0][0]
    assert found[1].kinds == ("house_meter",)
    assert found[3].reasons == (("стоит", "stands"),)
    assert found[3].meter_keys == ("k",)


def test_closed_flags_events_and_balanced_houses_are_no_suspicion() -> None:
    told = flags({"is_open": False}, {"kind": "roll_over", "house_id": "b"}, {"house_id": None})
    assert suspicions(houses(a=0.3, b=-0.4), told, tariff_rub_m3=32) == []
    assert suspicions(pl.DataFrame(), pl.DataFrame(), tariff_rub_m3=32) == []


def one(house: str, rub: float) -> Suspicion:
    return Suspicion(house, "z", (), ("stuck",), rub, (("стоит", "stands"),))


def test_a_stop_must_pay_for_its_way() -> None:
    where = {"near": (57.591, 39.89), "far": (57.9, 39.89)}
    route = plan_route([one("far", 1_000), one("near", 300)], where, start=START, rub_per_km=50)
    assert [stop.suspicion.house_id for stop in route] == ["near"]
    assert route[0].metres == walk_m(START, where["near"])


@given(
    places=st.lists(st.tuples(st.floats(57.58, 57.62), st.floats(39.86, 39.94)), min_size=1, max_size=9, unique=True)
)
@settings(max_examples=60, deadline=None)
def test_the_walk_is_no_longer_than_by_rank(places: list[tuple[float, float]]) -> None:
    found = [one(f"h{n}", 100_000 - n) for n in range(len(places))]
    where = {f"h{n}": place for n, place in enumerate(places)}
    route = plan_route(found, where, start=START)
    assert {stop.suspicion.house_id for stop in route} == where.keys()

    def length(points: list[tuple[float, float]]) -> float:
        way = [START, *points, START]
        return sum(walk_m(way[n], way[n + 1]) for n in range(len(way) - 1))

    assert length([stop.place for stop in route]) <= length(places) + 1e-3
