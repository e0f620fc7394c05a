"""Water: what every meter counts, hour by hour, and what the network's sensors see of it.

The demand pattern and the junctions are those of ky4, a real Kentucky network that ships with wntr
(Jolly et al. 2014, "Research database of water distribution system models"). A counter is a closed form of time, so
that a restart goes on where it was: C(day) = start + day * mean + noise(day), spread over the day by the pattern.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from city.geometry import Feature, features
from city.gtfs import day_start
from city.profile import City
from simulator import chance
from simulator.life.meter_faults import PIVOT_DAYS, MeterFaults
from simulator.life.source import Reading

Floats = NDArray[np.float64]

EPOCH = date(2025, 1, 1)
NETWORK = "ky4"
COMMON_SHARE = 0.03
"""What a block of flats uses outside its flats: cleaning, heating."""
DRIPPING_SHARE = 0.04
"""Flats where a tap or a cistern runs all day and night."""
ILLEGAL_SHARE = 0.25
"""What a house with an illegal connection takes past its flats' meters, as a share of their use."""
KWH_PERSON_DAY = 2.4
PUBLIC_M3_DAY = {"hospital": 14.0, "industry": 22.0, "school": 6.0, "kindergarten": 5.0, "boiler": 9.0, "sports": 5.0}
PUBLIC_OTHER_M3_DAY = 1.2


@dataclass(frozen=True, slots=True)
class Meter:
    """medium, scope: as in the contract meter_reading; mean_day: m3 or kWh a day."""

    meter_id: str
    house_id: str
    zone_id: str
    medium: str
    scope: str
    junction: str
    mean_day: float
    drip: float


def demand_pattern() -> tuple[Floats, list[str]]:
    """24 hourly multipliers of ky4's main pattern (mean 1) and its junctions that have a demand."""
    import wntr

    network = wntr.network.WaterNetworkModel(NETWORK)
    multipliers = np.asarray(network.get_pattern("1").multipliers, dtype=float)
    junctions = [name for name, junction in network.junctions() if junction.base_demand > 0]
    return multipliers / multipliers.mean(), junctions


class Water:
    """The town's meters: of flats (scope flat), of private houses, blocks and public buildings (scope house).

    The house meters together are all the water that is used; the flats' meters are a part of their houses'.
    """

    feed = "meter_reading"

    def __init__(
        self,
        city: City,
        seed: int,
        *,
        illegal_houses: int = 0,
        dead_meters: int = 0,
        faults: MeterFaults | None = None,
        started_s: float = 0.0,
    ) -> None:
        """faults: made for `flat_meters` of this city; started_s: what lasting faults turn around."""
        self._zone = city.timezone
        self._faults = faults
        self._seed = seed
        self._pattern, junctions = demand_pattern()
        self._use_m3_day = city.norms.water.use_l_person_day / 1_000
        self.zones = [zone.properties.zone_id for zone in features(city, "zones")]
        self.meters, self._children = self._build(features(city, "buildings"), junctions)
        self._mean = np.array([meter.mean_day for meter in self.meters])
        self._drip = np.array([meter.drip for meter in self.meters])
        self._own = np.array([index not in self._children for index in range(len(self.meters))])
        self._start = np.floor(chance.array(seed, "start").uniform(20, 900, len(self.meters)))
        self._offset_s = np.array([chance.number(seed, "offset", meter.meter_id) % 3600 for meter in self.meters])
        self._order = np.argsort(self._offset_s, kind="stable")
        self._sorted_offset = self._offset_s[self._order]
        self._zone_rows = {
            zone_id: np.array(
                [i for i, m in enumerate(self.meters) if m.zone_id == zone_id and m.scope == "house" and _is_water(m)],
                dtype=int,
            )
            for zone_id in self.zones
        }
        self.illegal = self._draw("illegal", [self.meters[row].house_id for row in self._children], illegal_houses)
        self.dead = self._draw("dead", self.flat_meters, dead_meters)
        self._dead_rows = np.array([meter.meter_id in self.dead for meter in self.meters])
        if faults is not None:
            number = (datetime.fromtimestamp(started_s, self._zone).date() - EPOCH).days + PIVOT_DAYS
            pivots = self._start + self._mean * number
            faults.pivots = dict(zip((meter.meter_id for meter in self.meters), pivots.tolist(), strict=True))
        self._day = functools.lru_cache(maxsize=6)(self._counters)

    @property
    def flat_meters(self) -> list[str]:
        return [meter.meter_id for meter in self.meters if meter.scope == "flat"]

    def _draw(self, what: str, names: list[str], count: int) -> set[str]:
        return set(sorted(names, key=lambda name: chance.share(self._seed, what, name))[:count])

    def _build(self, houses: list[Feature], junctions: list[str]) -> tuple[list[Meter], dict[int, list[int]]]:
        """Meters, and for each block's meter the flats' meters behind it."""
        meters: list[Meter] = []
        children: dict[int, list[int]] = {}

        def add(prefix: str, house: Feature, *, scope: str, mean: float, drip: float = 0.0) -> int:
            medium = "electricity" if prefix == "em" else "cold_water"
            known = house.properties
            junction = junctions[chance.number(self._seed, known.building_id) % len(junctions)]
            meter_id = f"{prefix}-{len(meters) + 1:05d}"
            meters.append(Meter(meter_id, known.building_id, known.zone_id, medium, scope, junction, mean, drip))
            return len(meters) - 1

        for house in houses:
            known, chances = house.properties, chance.stream(self._seed, "house", house.properties.building_id)
            if known.kind == "private":
                add("wm", house, scope="house", mean=max(0.05, known.residents * self._use_m3_day))
                continue
            if known.flats:
                flats = []
                for _ in range(known.flats):
                    people = known.residents / known.flats * chances.lognormvariate(-0.06, 0.35)
                    drip = chances.uniform(0.2, 0.6) if chances.random() < DRIPPING_SHARE else 0.0
                    flats.append(add("wm", house, scope="flat", mean=people * self._use_m3_day, drip=drip))
                whole = sum(meters[flat].mean_day for flat in flats) * (1 + COMMON_SHARE)
                children[add("hm", house, scope="house", mean=whole)] = flats
                add("em", house, scope="house", mean=max(5.0, known.residents * KWH_PERSON_DAY))
            else:
                use = PUBLIC_M3_DAY.get(known.kind, PUBLIC_OTHER_M3_DAY)
                add("hm", house, scope="house", mean=use * chances.uniform(0.8, 1.2))
                add("em", house, scope="house", mean=use * 14)
        return meters, children

    def _counters(self, day: date) -> Floats:
        """Counters at the 25 hour marks of a local day, exact, one row a meter."""
        number = (day - EPOCH).days
        today, tomorrow = self._midnight(number), self._midnight(number + 1)
        spread = chance.array(self._seed, "hours", day).gamma(4.0, 0.25, (len(self.meters), 24)) * self._pattern
        spread /= spread.sum(axis=1, keepdims=True)
        spread = (1 - self._drip)[:, None] * spread + self._drip[:, None] / 24
        marks = np.zeros((len(self.meters), 25))
        np.cumsum(spread, axis=1, out=marks[:, 1:])
        counters = today[:, None] + (tomorrow - today)[:, None] * marks
        for house, flats in self._children.items():
            past = 1 + COMMON_SHARE + (ILLEGAL_SHARE if self.meters[house].house_id in self.illegal else 0)
            counters[house] = self._start[house] + past * (counters[flats].sum(axis=0) - self._start[flats].sum())
        return counters

    def _midnight(self, number: int) -> Floats:
        noise = chance.array(self._seed, "midnight", number).uniform(-0.35, 0.35, len(self.meters))
        return self._start + self._mean * (number + noise)

    def counters(self, rows: NDArray[np.int_], at_s: Floats) -> Floats:
        """Exact counters of meters, each at its own moment (all on one local day), m3 or kWh."""
        day, hours = self._hours(at_s)
        table = self._day(day)
        hour = np.minimum(hours.astype(int), 23)
        low, high = table[rows, hour], table[rows, hour + 1]
        return np.asarray(low + (high - low) * (hours - hour), dtype=float)

    def _hours(self, at_s: Floats) -> tuple[date, Floats]:
        """The local day of the first moment, and hours of it, 0 to 24 whatever the clocks do."""
        day = datetime.fromtimestamp(float(at_s[0]), self._zone).date()
        start = day_start(day, self._zone).timestamp()
        length = day_start(day + timedelta(days=1), self._zone).timestamp() - start
        return day, np.clip((at_s - start) / length * 24, 0, 24)

    def used_m3(self, zone_id: str, start_s: float, end_s: float) -> float:
        """Water that truly went through the area's house meters."""
        rows = self._zone_rows[zone_id]
        if not len(rows):
            return 0.0
        ends = [self.counters(rows, np.full(len(rows), at)).sum() for at in (start_s, end_s)]
        return float(ends[1] - ends[0])

    def between(self, start_s: float, end_s: float, thin: bool) -> Iterator[Reading]:
        hour = math.floor(start_s / 3600) * 3600
        while hour <= end_s:
            first = np.searchsorted(self._sorted_offset, start_s - hour, side="right")
            last = np.searchsorted(self._sorted_offset, end_s - hour, side="right")
            if last > first:
                yield from self._read(self._order[first:last], hour)
            hour += 3600

    def _read(self, rows: NDArray[np.int_], hour: float) -> Iterator[Reading]:
        moments = hour + self._offset_s[rows].astype(float)
        true = np.where(self._dead_rows[rows], self._start[rows], self.counters(rows, moments))
        shown = np.floor(true * 1_000) / 1_000
        for row, at, value in zip(rows.tolist(), moments.tolist(), shown.tolist(), strict=True):
            meter = self.meters[row]
            content = {
                "meter_id": meter.meter_id,
                "medium": meter.medium,
                "scope": meter.scope,
                "volume_m3" if _is_water(meter) else "energy_kwh": round(value, 3),
                "house_id": meter.house_id,
                "zone_id": meter.zone_id,
                "battery_v": 3.6,
            }
            reading = Reading(self.feed, f"radio-{meter.zone_id}", meter.meter_id, at, "event_time", content)
            if self._faults is None:
                yield reading
            else:
                yield from self._faults.apply(reading)


def _is_water(meter: Meter) -> bool:
    return meter.medium == "cold_water"
