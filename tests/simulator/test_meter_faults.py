"""What is wrong with simulated meters: illegal connections and dead meters by truth, faults that checks find."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import numpy as np
import pytest

from city.profile import load_city
from city.settings import Settings
from domains.water.meters import Checks, Readings
from simulator.life.meter_faults import MeterFault, MeterFaults
from simulator.life.water import COMMON_SHARE, ILLEGAL_SHARE, Water

START_S = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
DAY_S = 86_400


def test_illegal_connections_and_dead_meters_show_in_the_house_balance() -> None:
    city = load_city(Settings(city="gorodok"))
    water = Water(city, 1, illegal_houses=2, dead_meters=3)
    assert (len(water.illegal), len(water.dead)) == (2, 3)
    used: dict[str, dict[str, float]] = {}
    first: dict[str, float] = {}
    for reading in water.between(START_S, START_S + 2 * DAY_S, thin=False):
        if "volume_m3" not in reading.content:
            continue
        value = float(reading.content["volume_m3"])
        begin = first.setdefault(reading.device, value)
        house = used.setdefault(str(reading.content["house_id"]), {"flat": 0.0, "house": 0.0, "n": 0})
        key = str(reading.content["scope"])
        house[key + reading.device] = value - begin
    ratios = {}
    for house_id, told in used.items():
        flats = sum(value for name, value in told.items() if name.startswith("flatwm"))
        whole = sum(value for name, value in told.items() if name.startswith("househm"))
        if flats and whole:
            ratios[house_id] = whole / flats
    suspicious = {house for house, ratio in ratios.items() if ratio > 1 + COMMON_SHARE + 0.1}
    assert water.illegal <= suspicious
    dead_houses = {meter.house_id for meter in water.meters if meter.meter_id in water.dead}
    assert suspicious <= water.illegal | dead_houses
    clean = [ratio for house, ratio in ratios.items() if house not in water.illegal | dead_houses]
    assert np.median(clean) == pytest.approx(1 + COMMON_SHARE, abs=0.02)
    assert all(ratios[house] > 1 + COMMON_SHARE + 0.8 * ILLEGAL_SHARE for house in water.illegal)


def test_each_fault_on_demand_is_found_by_its_check() -> None:
    """All kinds but stuck, which needs weeks: the flag that is raised is the kind that the truth names."""
    city = load_city(Settings(city="gorodok"))
    truth: dict[str, set[str]] = {}
    kinds: tuple[MeterFault, ...] = tuple(kind for kind in get_args(MeterFault) if kind != "stuck")

    def note(kind: str, meter_id: str, _: str) -> None:
        truth.setdefault(meter_id, set()).add(kind)

    faults = MeterFaults(1, kinds, 3, Water(city, 1).flat_meters, note)
    water = Water(city, 1, faults=faults, started_s=START_S)
    rows = [r for r in water.between(START_S - DAY_S, START_S + 2 * DAY_S, thin=False) if r.device in faults.of]
    received = np.array([r.at_s if r.at_s < START_S + 30 * DAY_S else r.at_s - 40 * DAY_S for r in rows])
    flags = Checks().step(
        Readings(
            [r.device for r in rows], [str(r.content["scope"]) for r in rows],
            np.array([round(r.at_s * 1e6) for r in rows]), np.array([float(r.content["volume_m3"]) for r in rows]),
            (received * 1e6).astype(np.int64) + 1_000_000,
        )
    )  # fmt: skip
    found: dict[str, set[str]] = {}
    for n in range(len(flags)):
        found.setdefault(rows[int(flags.row[n])].device, set()).add(flags.kind_of(n))
    assert {faults.of[meter] for meter in truth} == set(kinds)
    for meter, told in truth.items():
        assert told <= found.get(meter, set()), meter
