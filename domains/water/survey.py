"""Which meters and houses an inspector should see first, and in which order. A suspicion has reasons, never a verdict.

    found = suspicions(houses, flags, tariff_rub_m3=32)
    route = plan_route(found, where, start=(57.59, 39.89))

Houses come from mart_house_balance_day, flags from mart_meter_flag: meters are under their pseudonyms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

Point = tuple[float, float]
"""(latitude, longitude), WGS 84."""
Distance = Callable[[Point, Point], float]
"""Metres from one point to another, by street where the caller knows the streets."""

LOOK_DAYS = 30
PAYS_FOR_DAYS = 180
"""A confirmed suspicion saves its water for about half a year: until then it would have shown otherwise. Ours."""
CHANCE: Mapping[str, float] = {
    "unmetered_use": 0.4, "dead": 0.8, "stuck": 0.5, "rate_negative": 0.2, "unit_error": 0.3, "rate_high": 0.1,
    "house_meter": 0.3,
}  # fmt: skip
"""How often such a suspicion is confirmed: our own start values, to be replaced by what visits find."""
EARTH_M = 6_371_008.8
STREET_FACTOR = 1.3
"""Streets are so much longer than the straight line, where no street network is given."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One stop. expected_rub: chance × roubles that half a year costs. reasons: pairs of (Russian, English)."""

    house_id: str
    zone_id: str | None
    meter_keys: tuple[str, ...]
    kinds: tuple[str, ...]
    expected_rub: float
    reasons: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Case:
    zone_id: str | None = None
    meters: set[str] = field(default_factory=set)
    kinds: list[str] = field(default_factory=list)
    rub: float = 0.0
    reasons: list[tuple[str, str]] = field(default_factory=list)


def suspicions(
    houses: pl.DataFrame, flags: pl.DataFrame, *, tariff_rub_m3: float, flat_m3_day: float = 0.3
) -> list[Suspicion]:
    """The most roubles first; equal ones by house.

    houses: rows of mart_house_balance_day (the last `LOOK_DAYS` days of them count): a house whose excess is over its
    error on most days takes water past its flats' meters; one whose flats count more than it has a bad house meter.
    flags: open rows of mart_meter_flag. flat_m3_day: what a flat whose meter stands is taken to use.
    """
    cases: dict[str, _Case] = {}
    _from_houses(cases, houses, tariff_rub_m3)
    _from_flags(cases, flags, tariff_rub_m3, flat_m3_day)
    found = [
        Suspicion(house, case.zone_id, tuple(sorted(case.meters)), tuple(dict.fromkeys(case.kinds)), case.rub,
                  tuple(case.reasons))
        for house, case in cases.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.expected_rub, one.house_id))


def _from_houses(cases: dict[str, _Case], houses: pl.DataFrame, tariff: float) -> None:
    if houses.is_empty():
        return
    recent = houses.filter(pl.col("day") > pl.col("day").max() - pl.duration(days=LOOK_DAYS))
    told = recent.group_by("house_id", "medium", maintain_order=True).agg(
        pl.col("zone_id").last(),
        days=pl.len(),
        excess=pl.col("excess_m3").mean(),
        over=(pl.col("excess_m3") > pl.col("excess_pm_m3")).mean(),
        under=(pl.col("excess_m3") < -pl.col("excess_pm_m3")).mean(),
        share=pl.col("excess_m3").sum() / pl.col("house_m3").sum(),
    )
    for row in told.sort("house_id", "medium").iter_rows(named=True):
        kind = "unmetered_use" if row["over"] > 0.5 else "house_meter" if row["under"] > 0.5 else None
        if kind is None:
            continue
        case = cases.setdefault(row["house_id"], _Case(row["zone_id"]))
        case.kinds.append(kind)
        case.rub += CHANCE[kind] * abs(row["excess"]) * tariff * PAYS_FOR_DAYS
        case.reasons.append(_house_reason(kind, row))


def _house_reason(kind: str, row: Mapping[str, float]) -> tuple[str, str]:
    excess, part = abs(row["excess"]), row["over"] if kind == "unmetered_use" else row["under"]
    most_ru, most_en = f"{part:.0%} из {row['days']:.0f} дн.", f"{part:.0%} of {row['days']:.0f} days"
    if kind == "unmetered_use":
        return (
            f"дом берёт на {excess:.2f} м³/сут. больше, чем квартиры и общие нужды ({most_ru}): "
            "возможно, вода идёт мимо счётчика или счётчик квартиры стоит",
            f"the house takes {excess:.2f} m³/day more than its flats and common use ({most_en}): "
            "water may pass a meter, or a flat's meter stands",
        )
    return (
        f"квартиры насчитали на {excess:.2f} м³/сут. больше дома ({most_ru}): проверьте счётчик дома",
        f"the flats count {excess:.2f} m³/day more than the house ({most_en}): check the house's meter",
    )


def _from_flags(cases: dict[str, _Case], flags: pl.DataFrame, tariff: float, flat_m3_day: float) -> None:
    if flags.is_empty():
        return
    open_ones = flags.filter(pl.col("is_open") & pl.col("house_id").is_not_null() & pl.col("kind").is_in(list(CHANCE)))
    for row in open_ones.sort("house_id", "meter_key", "kind").iter_rows(named=True):
        case = cases.setdefault(row["house_id"], _Case(row["zone_id"]))
        case.meters.add(row["meter_key"])
        case.kinds.append(row["kind"])
        case.rub += CHANCE[row["kind"]] * flat_m3_day * tariff * PAYS_FOR_DAYS
        case.reasons.append((row["reason_ru"], row["reason_en"]))


# --- the route


@dataclass(frozen=True, slots=True)
class Stop:
    suspicion: Suspicion
    place: Point
    metres: float
    """From the stop before."""


def plan_route(
    found: Sequence[Suspicion],
    where: Mapping[str, Point],
    *,
    start: Point,
    stops: int = 15,
    rub_per_km: float = 50.0,
    distance: Distance | None = None,
) -> list[Stop]:
    """The day's walk from `start` and back: the stop with the most roubles a metre of detour is put in, and again.

    Cheapest insertion by worth: a stop is taken while its expected roubles pay for the way (`rub_per_km`). Places that
    are not in `where` are left out. The walk is at most as long as visiting the same stops by their rank.
    """
    far = distance or walk_m
    left = [one for one in found if one.house_id in where]
    path: list[Suspicion] = []
    points: list[Point] = [start, start]
    while left and len(path) < stops:
        best: tuple[float, int, int] | None = None
        for number, one in enumerate(left):
            place = where[one.house_id]
            detour, at = min(
                (far(points[n], place) + far(place, points[n + 1]) - far(points[n], points[n + 1]), n)
                for n in range(len(points) - 1)
            )
            worth = one.expected_rub - detour / 1_000 * rub_per_km
            if worth > 0 and (best is None or worth > best[0] + 1e-9):
                best = (worth, number, at)
        if best is None:
            break
        _, number, at = best
        one = left.pop(number)
        path.insert(at, one)
        points.insert(at + 1, where[one.house_id])
    path, points = _uncrossed(path, points, far)
    return [Stop(one, points[n + 1], far(points[n], points[n + 1])) for n, one in enumerate(path)]


def _uncrossed(path: list[Suspicion], points: list[Point], far: Distance) -> tuple[list[Suspicion], list[Point]]:
    """2-opt: parts of the walk are turned round while that makes it shorter."""
    better = True
    while better:
        better = False
        for i in range(1, len(points) - 2):
            for j in range(i + 1, len(points) - 1):
                now = far(points[i - 1], points[i]) + far(points[j], points[j + 1])
                then = far(points[i - 1], points[j]) + far(points[i], points[j + 1])
                if then < now - 1e-6:
                    points[i : j + 1] = points[i : j + 1][::-1]
                    path[i - 1 : j] = path[i - 1 : j][::-1]
                    better = True
    return path, points


def walk_m(a: Point, b: Point) -> float:
    """Great circle times `STREET_FACTOR`: an estimate of a walk, metres."""
    p, q = math.radians(a[0]), math.radians(b[0])
    h = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return STREET_FACTOR * 2 * EARTH_M * math.asin(math.sqrt(h))
