"""Buses that keep a timetable and get late.

A trip leaves at its time, or when its bus is back from the trip before; each leg takes a little more or less than
planned, rush hours more, and now and then something happens. Positions lie on the shape.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from city.gtfs import Shape, Timetable, Trip, day_start, days_of
from city.profile import City
from simulator import chance
from simulator.life.source import Reading

TURNAROUND_S = 45.0
GPS_ERROR_M = 3.0
METRES_A_DEGREE = 111_320.0
TROUBLE_SHARE = 0.12
"""Share of trips with a breakdown, a closed road or a wheelchair ramp: two to seven minutes."""
RUSH = {7: 1.12, 8: 1.18, 9: 1.08, 16: 1.06, 17: 1.16, 18: 1.14}
"""Local hour → how much longer a leg takes."""
SHOWN_BEFORE_S = 300.0
"""A bus is seen at its first stop so long before its trip."""


@dataclass(frozen=True, slots=True)
class Run:
    """A trip as it truly went on one day: seconds since 1970 at each stop."""

    trip: Trip
    day: date
    vehicle_id: str
    scheduled_s: tuple[tuple[float, float], ...]
    arrivals_s: tuple[float, ...]
    departures_s: tuple[float, ...]

    @property
    def start_date(self) -> str:
        return self.day.strftime("%Y%m%d")

    @property
    def start_time(self) -> str:
        first = self.trip.calls[0].departure_s
        return f"{first // 3600:02d}:{first // 60 % 60:02d}:{first % 60:02d}"


@dataclass(frozen=True, slots=True)
class Where:
    """A bus at a moment. call: index of the stop that it stands at or goes to."""

    run: Run
    along_m: float
    speed_m_s: float
    call: int
    standing: bool


class Fleet:
    """One bus per block of the timetable."""

    feed = "vehicle_position"

    def __init__(self, city: City, timetable: Timetable, seed: int, thin_s: float = 40) -> None:
        self._zone = city.timezone
        self._timetable = timetable
        self._seed = seed
        self._thin_s = thin_s
        self._blocks: dict[str, list[Trip]] = defaultdict(list)
        for trip in timetable.trips.values():
            self._blocks[trip.block_id or trip.trip_id].append(trip)
        for trips in self._blocks.values():
            trips.sort(key=lambda trip: trip.calls[0].departure_s)
        self._vehicles = {block: f"bus-{101 + index}" for index, block in enumerate(sorted(self._blocks))}
        self._runs = functools.lru_cache(maxsize=256)(self._day_runs)

    @property
    def vehicles(self) -> dict[str, str]:
        """Block → vehicle id."""
        return dict(self._vehicles)

    def fix_interval_s(self, vehicle_id: str) -> int:
        """Each tracker has its own interval, 5 to 15 s."""
        return 5 + int(11 * chance.share(self._seed, "interval", vehicle_id))

    def last_fix_s(self, vehicle_id: str, at_s: float, interval_s: int | None = None) -> int:
        """The time of a tracker's newest fix at a moment."""
        interval = interval_s or self.fix_interval_s(vehicle_id)
        phase = chance.number(self._seed, "phase", vehicle_id) % interval
        return math.floor((at_s - phase) / interval) * interval + phase

    def runs(self, block: str, day: date) -> tuple[Run, ...]:
        """The trips of a block on a service day as they truly went."""
        return self._runs(block, day)

    def _day_runs(self, block: str, day: date) -> tuple[Run, ...]:
        free_s, found = -math.inf, []
        zero = day_start(day, self._zone).timestamp()
        for trip in self._blocks[block]:
            if self._timetable.runs(trip.service_id, day):
                run = self._run(trip, day, zero, free_s, self._vehicles[block])
                free_s = run.arrivals_s[-1] + TURNAROUND_S
                found.append(run)
        return tuple(found)

    def _run(self, trip: Trip, day: date, zero: float, free_s: float, vehicle_id: str) -> Run:
        chances = chance.stream(self._seed, "run", trip.trip_id, day)
        scheduled = tuple((zero + call.arrival_s, zero + call.departure_s) for call in trip.calls)
        trouble_at = chances.randrange(1, len(trip.calls)) if chances.random() < TROUBLE_SHARE else 0
        departure = max(scheduled[0][1] + chances.expovariate(1 / 12), free_s)
        arrivals, departures = [departure - 1.0], [departure]
        for index in range(1, len(trip.calls)):
            planned = scheduled[index][0] - scheduled[index - 1][1]
            hour = int((departure - zero) // 3600) % 24
            slower = RUSH.get(hour, 1.0) * max(0.85, chances.gauss(1.04, 0.09))
            arrival = departure + planned * slower + (chances.uniform(120, 420) if index == trouble_at else 0.0)
            dwell = max(6.0, chances.gauss(18, 6))
            departure = max(arrival + dwell, scheduled[index][1]) if index + 1 < len(trip.calls) else arrival
            arrivals.append(arrival)
            departures.append(departure)
        return Run(trip, day, vehicle_id, scheduled, tuple(arrivals), tuple(departures))

    def current(self, block: str, at_s: float) -> Run | None:
        """The trip that a bus is on, or stands ready for; None when it is in the depot."""
        for day in days_of(datetime.fromtimestamp(at_s, self._zone), self._zone):
            runs = self.runs(block, day)
            index = bisect.bisect_left(runs, at_s, key=lambda run: run.arrivals_s[-1])
            if index < len(runs):
                run = runs[index]
                waited = index > 0 and run.departures_s[0] - runs[index - 1].arrivals_s[-1] < 1_800
                if at_s >= run.departures_s[0] - SHOWN_BEFORE_S or waited:
                    return run
        return None

    def where(self, block: str, at_s: float) -> Where | None:
        run = self.current(block, at_s)
        if run is None:
            return None
        index = bisect.bisect_right(run.departures_s, at_s)
        calls = run.trip.calls
        if index == 0 or index == len(calls) or at_s >= run.arrivals_s[index]:
            at = min(index, len(calls) - 1)
            return Where(run, calls[at].along_m, 0.0, at, standing=True)
        left, arrives = run.departures_s[index - 1], run.arrivals_s[index]
        share = (at_s - left) / (arrives - left)
        length = calls[index].along_m - calls[index - 1].along_m
        eased = share - 0.6 * math.sin(2 * math.pi * share) / (2 * math.pi)
        speed = length / (arrives - left) * (1 - 0.6 * math.cos(2 * math.pi * share))
        return Where(run, calls[index - 1].along_m + length * eased, speed, index, standing=False)

    def between(self, start_s: float, end_s: float, thin: bool) -> Iterator[Reading]:
        fixes = []
        for block, vehicle_id in self._vehicles.items():
            interval = self.fix_interval_s(vehicle_id)
            if thin:
                interval *= max(1, round(self._thin_s / interval))
            first = self.last_fix_s(vehicle_id, start_s, interval) + interval
            fixes += [(at, block, vehicle_id) for at in range(first, math.floor(end_s) + 1, interval)]
        for at, block, vehicle_id in sorted(fixes):
            content = self.fix(block, at)
            if content is not None:
                yield Reading(self.feed, vehicle_id, vehicle_id, at, "timestamp", content)

    def fix(self, block: str, at_s: float) -> dict[str, Any] | None:
        """What the tracker of a bus sends at a moment; None in the depot."""
        where = self.where(block, at_s)
        if where is None:
            return None
        trip, run = where.run.trip, where.run
        call = trip.calls[where.call]
        latitude, longitude, bearing = place(self._timetable.shapes[trip.shape_id], where.along_m)
        error = chance.stream(self._seed, "gps", run.vehicle_id, at_s)
        near = not where.standing and call.along_m - where.along_m < 60
        content = {
            "vehicle_id": run.vehicle_id,
            "latitude": round(latitude + error.gauss(0, GPS_ERROR_M) / METRES_A_DEGREE, 6),
            "longitude": round(
                longitude + error.gauss(0, GPS_ERROR_M) / METRES_A_DEGREE / math.cos(math.radians(latitude)), 6
            ),
            "bearing_deg": round(bearing, 1),
            "speed_m_s": round(where.speed_m_s, 2),
            "trip_id": trip.trip_id,
            "route_id": trip.route_id,
            "direction_id": trip.direction_id,
            "start_date": run.start_date,
            "start_time": run.start_time,
            "stop_id": call.stop_id,
            "current_stop_sequence": call.sequence,
            "current_status": "STOPPED_AT" if where.standing else "INCOMING_AT" if near else "IN_TRANSIT_TO",
            "occupancy_status": self._occupancy(at_s, run),
            "vehicle_label": run.vehicle_id.removeprefix("bus-"),
            "license_plate": f"А{run.vehicle_id.removeprefix('bus-')}ВС76",
        }
        return content | ({"trip_headsign": trip.headsign} if trip.headsign else {})

    def _occupancy(self, at_s: float, run: Run) -> str:
        full = RUSH.get(int(at_s / 3600 + 3) % 24, 1.0) - 1 + 0.6 * chance.share(self._seed, "full", run.trip.trip_id)
        return ("MANY_SEATS_AVAILABLE", "FEW_SEATS_AVAILABLE", "STANDING_ROOM_ONLY")[min(2, int(full / 0.28))]

    def predictions(self, at_s: float) -> list[tuple[Run, list[tuple[int, float, float]]]]:
        """For each bus on a trip: (call index, arrival, departure) of the stops ahead, as a dispatcher would say them.

        A dispatcher knows how late the bus is now, and no more: the timetable plus today's delay.
        """
        found = []
        for block in self._blocks:
            where = self.where(block, at_s)
            if where is None:
                continue
            run = where.run
            passed = bisect.bisect_right(run.departures_s, at_s) - 1
            late = run.departures_s[passed] - run.scheduled_s[passed][1] if passed >= 0 else 0.0
            late = max(late, at_s - run.scheduled_s[where.call][0]) if not where.standing else late
            ahead = [
                (index, run.scheduled_s[index][0] + late, run.scheduled_s[index][1] + late)
                for index in range(max(where.call, passed + 1), len(run.trip.calls))
            ]
            if ahead:
                found.append((run, ahead))
        return found


def place(shape: Shape, along_m: float) -> tuple[float, float, float]:
    """Latitude, longitude and bearing (degrees clockwise from north) at a distance along a shape."""
    index = min(max(bisect.bisect_right(shape.along_m, along_m), 1), len(shape.along_m) - 1)
    before, after = shape.along_m[index - 1], shape.along_m[index]
    share = (along_m - before) / (after - before) if after > before else 0.0
    north = shape.latitude[index] - shape.latitude[index - 1]
    east = (shape.longitude[index] - shape.longitude[index - 1]) * math.cos(math.radians(shape.latitude[index]))
    return (
        shape.latitude[index - 1] + north * share,
        shape.longitude[index - 1] + (shape.longitude[index] - shape.longitude[index - 1]) * share,
        math.degrees(math.atan2(east, north)) % 360,
    )
