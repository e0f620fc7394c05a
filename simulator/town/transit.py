"""Twelve stops, three routes and their timetable as GTFS (gtfs.org/documentation/schedule/reference).

A block is a bus. The first block of each route runs around the clock, the others from morning to past midnight,
so that a demo shown at night still has buses. The service day runs from 04:00 to 28:00 (04:00 of the next day).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.town import plan as town
from simulator.town.plan import Plan, Point

STOPS = {
    (2, 0): ("s-01", "Автовокзал"), (2, 1): ("s-02", "Рынок"), (2, 2): ("s-03", "Площадь Мира"),
    (2, 3): ("s-04", "Школа № 1"), (2, 4): ("s-05", "Улица Заводская"), (2, 5): ("s-06", "Больница"),
    (0, 2): ("s-07", "Набережная"), (1, 2): ("s-08", "Универмаг «Заря»"), (4, 2): ("s-09", "Дом культуры"),
    (5, 2): ("s-10", "Молокозавод"), (4, 0): ("s-11", "Улица Садовая"), (4, 4): ("s-12", "Микрорайон"),
}  # fmt: skip
"""(row, column) of the crossing → stop."""

STOP_OFFSET_M = 3.0
DWELL_S = 20
SPEED_M_S = 6.1
"""22 km/h between stops, kept on paper; a real bus is late against it."""

FIRST_S, LAST_S = 4 * 3600, 28 * 3600
DAY_FIRST_S, DAY_LAST_S = 5 * 3600 + 1800, 24 * 3600 + 1800


@dataclass(frozen=True)
class Route:
    route_id: str
    name: str
    long_name: str
    colour: str
    nodes: tuple[tuple[int, int], ...]
    ring: bool
    buses: int
    layover_s: int


ROUTES = (
    Route("r-1", "1", "Автовокзал — Больница", "1F6FEB", tuple((2, column) for column in range(6)), False, 3, 240),
    Route("r-2", "2", "Набережная — Молокозавод", "D9480F", tuple((row, 2) for row in range(6)), False, 3, 240),
    Route(
        "r-3", "3", "Автовокзал — Микрорайон — Автовокзал (кольцо)", "2B8A3E",
        ((2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (4, 3), (4, 4), (3, 4), (2, 4), (1, 4), (0, 4), (0, 3), (0, 2),
         (0, 1), (0, 0), (1, 0), (2, 0)), True, 4, 300,
    ),
)  # fmt: skip

SERVICE_ID = "daily"


@dataclass(frozen=True)
class Way:
    """One direction of a route: its line and the stops on it, each with metres from the start."""

    route: Route
    direction: int
    points: list[Point]
    along_m: list[float]
    stops: list[tuple[str, str, float]]
    """stop id, name, metres"""

    @property
    def shape_id(self) -> str:
        return f"{self.route.route_id}-{self.direction}"

    def seconds(self) -> list[tuple[int, int]]:
        """Arrival and departure at each stop, seconds from the start of the trip."""
        times = []
        for index, (_, _, metres) in enumerate(self.stops):
            arrival = round(metres / SPEED_M_S) + DWELL_S * max(0, index - 1)
            times.append((arrival, arrival + (DWELL_S if 0 < index < len(self.stops) - 1 else 0)))
        return times


def ways(plan: Plan) -> list[Way]:
    found = []
    for route in ROUTES:
        for direction in (0,) if route.ring else (0, 1):
            nodes = route.nodes if direction == 0 else route.nodes[::-1]
            points = [plan.nodes[row][column] for row, column in nodes]
            along = [0.0]
            for here, after in itertools.pairwise(points):
                along.append(along[-1] + town.distance(here, after))
            stops = [(*STOPS[node], metres) for node, metres in zip(nodes, along, strict=True) if node in STOPS]
            found.append(Way(route, direction, points, along, stops))
    return found


def stops(plan: Plan) -> list[dict[str, Any]]:
    """GeoJSON features of the stops, by id."""
    features = []
    for (row, column), (stop_id, name) in sorted(STOPS.items(), key=lambda item: item[1]):
        x, y = plan.nodes[row][column]
        point = (x + STOP_OFFSET_M, y - STOP_OFFSET_M)
        routes = [route.name for route in ROUTES if (row, column) in route.nodes]
        properties = {"stop_id": stop_id, "name_ru": name, "routes": routes, "zone_id": town.zone_of(point)}
        features.append(
            {
                "type": "Feature",
                "properties": properties,
                "geometry": {"type": "Point", "coordinates": list(town.degrees(point))},
            }
        )
    return features


def gtfs(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """File name → rows, columns in the order of the first row."""
    routes = ways(plan)
    trips, times = [], []
    for trip, rows in _trips(routes):
        trips.append(trip)
        times.extend(rows)
    return {
        "agency.txt": [
            {"agency_id": "gorodok", "agency_name": "Городок-Транс", "agency_url": "https://gorodok.example/",
             "agency_timezone": "Europe/Moscow", "agency_lang": "ru"}
        ],
        "feed_info.txt": [
            {"feed_publisher_name": "Gorodok", "feed_publisher_url": "https://gorodok.example/", "feed_lang": "ru",
             "feed_start_date": "20260101", "feed_end_date": "20351231", "feed_version": "1"}
        ],
        "calendar.txt": [
            {"service_id": SERVICE_ID, "monday": 1, "tuesday": 1, "wednesday": 1, "thursday": 1, "friday": 1,
             "saturday": 1, "sunday": 1, "start_date": "20260101", "end_date": "20351231"}
        ],
        "stops.txt": [
            {"stop_id": stop["properties"]["stop_id"], "stop_name": stop["properties"]["name_ru"],
             "stop_lat": f"{stop['geometry']['coordinates'][1]:.6f}",
             "stop_lon": f"{stop['geometry']['coordinates'][0]:.6f}", "zone_id": stop["properties"]["zone_id"]}
            for stop in stops(plan)
        ],
        "routes.txt": [
            {"route_id": route.route_id, "agency_id": "gorodok", "route_short_name": route.name,
             "route_long_name": route.long_name, "route_type": 3, "route_color": route.colour,
             "route_text_color": "FFFFFF"}
            for route in ROUTES
        ],
        "shapes.txt": [
            {"shape_id": way.shape_id, "shape_pt_lat": f"{town.degrees(point)[1]:.6f}",
             "shape_pt_lon": f"{town.degrees(point)[0]:.6f}", "shape_pt_sequence": index,
             "shape_dist_traveled": f"{metres:.1f}"}
            for way in routes for index, (point, metres) in enumerate(zip(way.points, way.along_m, strict=True))
        ],
        "trips.txt": trips,
        "stop_times.txt": times,
    }  # fmt: skip


def _trips(routes: list[Way]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """One row per trip, with its stop times; a block leaves as soon as its layover is over."""
    for route in ROUTES:
        directions = [way for way in routes if way.route is route]
        turns = [way.seconds()[-1][0] + route.layover_s for way in directions]
        headway = sum(turns) / route.buses
        for bus in range(route.buses):
            first, last = (FIRST_S, LAST_S) if bus == 0 else (DAY_FIRST_S, DAY_LAST_S)
            start, turn, number = first + round(bus * headway / 60) * 60, 0, 1
            while start + turns[turn] <= last:
                way = directions[turn]
                yield _trip(way, bus + 1, number, start)
                start += -(-turns[turn] // 60) * 60
                turn, number = (turn + 1) % len(directions), number + 1


def _trip(way: Way, bus: int, number: int, start: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    block = f"{way.route.route_id}-b{bus}"
    trip_id = f"{block}-{number:03d}"
    trip = {
        "route_id": way.route.route_id,
        "service_id": SERVICE_ID,
        "trip_id": trip_id,
        "trip_headsign": way.stops[-1][1] if not way.route.ring else "Кольцо",
        "direction_id": way.direction,
        "block_id": block,
        "shape_id": way.shape_id,
    }
    rows = [
        {"trip_id": trip_id, "arrival_time": _clock(start + arrival), "departure_time": _clock(start + departure),
         "stop_id": stop_id, "stop_sequence": sequence, "shape_dist_traveled": f"{metres:.1f}"}
        for sequence, ((stop_id, _, metres), (arrival, departure)) in enumerate(
            zip(way.stops, way.seconds(), strict=True), 1
        )
    ]  # fmt: skip
    return trip, rows


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
