"""What happens in the town: buses, water, cameras, complaints, as functions of time."""

from __future__ import annotations

import bisect
import json
import math
import statistics
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest
import shapely

from city.geometry import features
from city.gtfs import read_gtfs
from city.profile import load_city
from city.settings import Settings
from ingest.contracts import CONTRACTS
from simulator.life.cameras import Cameras
from simulator.life.complaints import Complaints
from simulator.life.fleet import METRES_A_DEGREE, Fleet
from simulator.life.scada import Scada
from simulator.life.source import rfc3339
from simulator.life.water import Water, demand_pattern

CITY = load_city(Settings(city="gorodok"))
TIMETABLE = read_gtfs(CITY.folder)
DAY = date(2026, 11, 23)
MIDNIGHT = datetime(2026, 11, 22, 21, tzinfo=UTC).timestamp()
"""00:00 of DAY in Moscow."""
NOON = MIDNIGHT + 12 * 3_600
LEAK_FROM = MIDNIGHT + 3 * 3_600


@pytest.fixture(scope="module")
def water() -> Water:
    return Water(CITY, seed=1)


@pytest.fixture(scope="module")
def scada(water: Water) -> Scada:
    return Scada(CITY, water, 1, leak_zone="dma-2", leak_m3_h=3.5, leak_from_s=LEAK_FROM)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet(CITY, TIMETABLE, seed=1)


@pytest.fixture(scope="module")
def sources(fleet, water, scada):
    return [fleet, water, scada, Cameras(CITY, 1)]


def test_any_cut_of_time_gives_the_same_messages(sources):
    cuts = [NOON, NOON + 0.25, NOON + 1, NOON + 299.9, NOON + 300, NOON + 1_234.5, NOON + 3_600]
    for source in sources:
        whole = list(source.between(cuts[0], cuts[-1], False))
        parts = [reading for start, end in pairwise(cuts) for reading in source.between(start, end, False)]
        assert parts == whole
        assert len(whole) > 30
        assert [reading.at_s for reading in whole] == sorted(reading.at_s for reading in whole)
        assert all(cuts[0] < reading.at_s <= cuts[-1] for reading in whole)


def test_every_message_is_a_good_one_and_no_two_have_one_key(sources):
    for source in sources:
        contract, keys = CONTRACTS[source.feed], Counter()
        for reading in source.between(NOON, NOON + 3_600, False):
            message = reading.content | {reading.time_field: rfc3339(reading.at_s)}
            contract.model_validate_json(json.dumps(message))
            keys[tuple(message[name] for name in contract.spec.key)] += 1
        assert max(keys.values()) == 1


def test_the_seed_makes_the_city(fleet):
    again, other = Fleet(CITY, TIMETABLE, seed=1), Fleet(CITY, TIMETABLE, seed=2)
    window = (NOON, NOON + 600, False)
    assert list(fleet.between(*window)) == list(again.between(*window)) != list(other.between(*window))


def test_buses_keep_the_timetable_and_get_late(fleet):
    runs = [run for block in fleet.vehicles for run in fleet.runs(block, DAY)]
    assert len(runs) == len(TIMETABLE.trips)
    late = [
        arrival - planned
        for run in runs
        for arrival, (planned, _) in zip(run.arrivals_s[1:], run.scheduled_s[1:], strict=True)
    ]
    assert all(run.departures_s[0] >= run.scheduled_s[0][1] for run in runs), "no bus leaves before its time"
    assert 0 < statistics.median(late) < 180
    assert 0.03 < sum(one > 180 for one in late) / len(late) < 0.4
    for run in runs:
        moments = [moment for pair in zip(run.arrivals_s, run.departures_s, strict=True) for moment in pair]
        assert moments == sorted(moments)


def test_buses_drive_along_their_shapes_and_do_not_jump(fleet):
    lines = {
        shape_id: shapely.LineString(list(zip(shape.longitude, shape.latitude, strict=True)))
        for shape_id, shape in TIMETABLE.shapes.items()
    }
    tracks: dict[str, list] = {}
    for reading in fleet.between(NOON, NOON + 3_600, False):
        place = shapely.Point(reading.content["longitude"], reading.content["latitude"])
        off = lines[TIMETABLE.trips[reading.content["trip_id"]].shape_id].distance(place) * METRES_A_DEGREE
        assert off < 30
        tracks.setdefault(reading.device, []).append((reading.at_s, place))
    assert len(tracks) == 10
    for track in tracks.values():
        gaps = [after[0] - before[0] for before, after in pairwise(track)]
        assert 5 <= statistics.median(gaps) <= 15
        for (t0, before), (t1, after) in pairwise(track):
            assert before.distance(after) * METRES_A_DEGREE / (t1 - t0) < 25


def test_a_bus_is_at_its_stop_when_it_says_so(fleet):
    stops = TIMETABLE.stops
    seen = 0
    for reading in fleet.between(NOON, NOON + 3_600, False):
        if reading.content["current_status"] == "STOPPED_AT":
            stop = stops[reading.content["stop_id"]]
            north = (stop.latitude - reading.content["latitude"]) * METRES_A_DEGREE
            east = (stop.longitude - reading.content["longitude"]) * METRES_A_DEGREE * math.cos(math.radians(57.6))
            assert math.hypot(north, east) < 30
            seen += 1
    assert seen > 100


def test_some_bus_runs_at_any_hour(fleet):
    for hour in range(24):
        assert len(list(fleet.between(MIDNIGHT + hour * 3_600, MIDNIGHT + hour * 3_600 + 60, False))) >= 3, hour


def test_predictions_start_from_how_late_the_bus_is_now(fleet):
    found = fleet.predictions(NOON + 77)
    assert len(found) >= 9
    errors = [arrival - run.arrivals_s[index] for run, ahead in found for index, arrival, _ in ahead[:1]]
    assert statistics.median(map(abs, errors)) < 90
    for _, ahead in found:
        assert all(arrival <= departure for _, arrival, departure in ahead)


def test_two_thousand_flat_and_house_meters(water):
    own = [meter for meter in water.meters if meter.meter_id.startswith("wm-")]
    assert len(own) == 2_000
    assert Counter(meter.scope for meter in own) == {"flat": 1_880, "house": 120}
    assert len({meter.meter_id for meter in water.meters}) == len(water.meters)


def test_counters_never_go_back_over_three_days(water):
    last: dict[str, float] = {}
    for reading in water.between(MIDNIGHT - 86_400, MIDNIGHT + 2 * 86_400, True):
        value = reading.content.get("volume_m3", reading.content.get("energy_kwh"))
        assert value >= last.get(reading.device, 0), reading
        last[reading.device] = value
    assert len(last) == len(water.meters)


def test_a_block_uses_what_its_flats_use_and_three_per_cent(water):
    start, end = NOON, NOON + 7_200
    rows = np.arange(len(water.meters))
    used = water.counters(rows, np.full(len(rows), end)) - water.counters(rows, np.full(len(rows), start))
    by_house: dict[str, float] = {}
    for meter, value in zip(water.meters, used, strict=True):
        if meter.scope == "flat":
            by_house[meter.house_id] = by_house.get(meter.house_id, 0) + value
    for meter, value in zip(water.meters, used, strict=True):
        if meter.meter_id.startswith("hm-") and meter.house_id in by_house:
            assert value == pytest.approx(by_house[meter.house_id] * 1.03, rel=1e-6)


def test_the_day_follows_the_networks_pattern(water):
    pattern, junctions = demand_pattern()
    hours = [
        sum(water.used_m3(z, MIDNIGHT + h * 3600, MIDNIGHT + (h + 1) * 3600) for z in water.zones) for h in range(24)
    ]
    assert np.corrcoef(hours, pattern)[0, 1] > 0.99
    assert len(junctions) > 500


def test_inflow_over_a_day_is_what_meters_count_plus_what_is_lost(water, scada):
    start, end = MIDNIGHT, MIDNIGHT + 86_400
    for zone_id in water.zones:
        flows = [
            reading.content["value"]
            for reading in scada.between(start, end, True)
            if reading.device == f"flow-{zone_id}"
        ]
        assert len(flows) == 288
        truth = water.used_m3(zone_id, start, end) + scada.leak_m3(zone_id, start, end)
        assert sum(flows) / 12 == pytest.approx(truth, rel=1e-3)


def test_the_burst_main_shows_in_the_night_flow(scada):
    def night_flow(zone_id: str, midnight: float) -> float:
        found = scada.between(midnight + 3 * 3_600, midnight + 5 * 3_600, True)
        return min(reading.content["value"] for reading in found if reading.device == f"flow-{zone_id}")

    assert night_flow("dma-2", MIDNIGHT) - night_flow("dma-2", MIDNIGHT - 86_400) == pytest.approx(3.5, abs=1.2)
    assert abs(night_flow("dma-3", MIDNIGHT) - night_flow("dma-3", MIDNIGHT - 86_400)) < 1.2


def test_pressures_and_levels_are_plausible(scada):
    for reading in scada.between(MIDNIGHT, MIDNIGHT + 86_400, True):
        low, high = {"flow_m3_h": (0, 100), "pressure_m": (20, 50), "level_m": (0.2, 6)}[reading.content["quantity"]]
        assert low <= reading.content["value"] <= high, reading


def test_waste_sites_fill_until_the_truck_comes():
    cameras = Cameras(CITY, 1)
    events = list(cameras.between(MIDNIGHT, MIDNIGHT + 2 * 86_400, True))
    classes = Counter(event.content["class_name"] for event in events)
    assert {"waste_empty", "waste_half", "waste_full", "waste_beside", "person", "dog"} <= set(classes)
    assert cameras.fill("waste-01", NOON) < cameras.fill("waste-01", NOON + 3_600)
    day = [event for event in events if event.content["class_name"] == "person"]
    rush = sum(17 <= datetime.fromtimestamp(event.at_s, CITY.timezone).hour < 19 for event in day)
    night = sum(2 <= datetime.fromtimestamp(event.at_s, CITY.timezone).hour < 4 for event in day)
    assert rush > 10 * max(night, 1)


def test_complaints_live_from_open_to_closed():
    complaints = Complaints(CITY, 1)
    found = list(complaints.asked(NOON - 20 * 86_400, NOON))
    assert 15 < len(found) / 20 < 60
    late = 0
    for one in found:
        asked, assigned, closed = (one.state(moment) for moment in one.changes())
        assert [state["status"] for state in (asked, assigned, closed)] == ["open", "open", "closed"]
        assert asked["executor"] is None
        assert assigned["executor"]
        assert assigned["deadline"]
        assert assigned["cost_rub"] is None
        assert closed["cost_rub"] > 0
        late += one.closed_s > one.deadline_s
    assert 0.03 < late / len(found) < 0.35
    houses = {house.properties.building_id for house in features(CITY, "buildings")}
    assert {one.state(NOON)["address_id"] for one in found} <= houses
    moments = [one.requested_s for one in found]
    assert moments == sorted(moments)
    assert bisect.bisect(moments, NOON) == len(moments)
