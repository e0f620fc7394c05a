"""The city's timetable: `gtfs/*.txt` as objects (gtfs.org/documentation/schedule/reference).

Times are seconds from the start of the service day, and may pass 86,400: a trip after midnight still belongs to
the day before.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from city.problem import CityError, Problem, shown

FOLDER = "gtfs"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Stop:
    stop_id: str
    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Route:
    route_id: str
    short_name: str
    long_name: str
    colour: str


@dataclass(frozen=True, slots=True)
class Call:
    """A trip at a stop. along_m: metres from the start of the shape, NaN where the file has none."""

    stop_id: str
    sequence: int
    arrival_s: int
    departure_s: int
    along_m: float


@dataclass(frozen=True, slots=True)
class Trip:
    trip_id: str
    route_id: str
    service_id: str
    direction_id: int
    headsign: str
    block_id: str
    shape_id: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """latitude, longitude and metres from the start of each point."""

    latitude: tuple[float, ...]
    longitude: tuple[float, ...]
    along_m: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Service:
    weekdays: tuple[bool, ...]
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Timetable:
    stops: Mapping[str, Stop]
    routes: Mapping[str, Route]
    trips: Mapping[str, Trip]
    shapes: Mapping[str, Shape]
    services: Mapping[str, Service]
    exceptions: Mapping[tuple[str, date], bool] = field(default_factory=dict)

    def runs(self, service_id: str, day: date) -> bool:
        """calendar_dates.txt decides before calendar.txt."""
        if (service_id, day) in self.exceptions:
            return self.exceptions[service_id, day]
        service = self.services.get(service_id)
        return service is not None and service.first <= day <= service.last and service.weekdays[day.weekday()]


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """GTFS counts from noon minus 12 hours, which differs from midnight where a clock is changed."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return datetime.fromtimestamp(noon.timestamp() - 12 * 3600, zone)


def has_timetable(city_folder: Path) -> bool:
    return (city_folder / FOLDER / "stop_times.txt").is_file()


def read_gtfs(city_folder: Path) -> Timetable:
    """The timetable of a city's folder; CityError with every problem found."""
    reader = _Reader(city_folder / FOLDER)
    stops = {row.text("stop_id"): _stop(row) for row in reader.rows("stops.txt")}
    routes = {row.text("route_id"): _route(row) for row in reader.rows("routes.txt")}
    services = {row.text("service_id"): _service(row) for row in reader.rows("calendar.txt")}
    exceptions = {
        (row.text("service_id"), row.day("date")): row.text("exception_type") == "1"
        for row in reader.rows("calendar_dates.txt", required=False)
    }
    shapes = _shapes(reader)
    calls = _calls(reader, stops)
    trips = _trips(reader, routes, shapes, calls)
    known = set(services) | {service_id for service_id, _ in exceptions}
    for trip in trips.values():
        if trip.service_id not in known:
            reader.refuse("trips.txt", f"{trip.trip_id}.service_id", trip.service_id, "add it to calendar.txt")
    if reader.problems:
        raise CityError(reader.problems)
    return Timetable(stops, routes, trips, shapes, services, exceptions)


def _stop(row: _Row) -> Stop:
    latitude = row.number("stop_lat", float, -90, 90)
    return Stop(row.text("stop_id"), row.text("stop_name"), latitude, row.number("stop_lon", float, -180, 180))


def _route(row: _Row) -> Route:
    return Route(row.text("route_id"), row.get("route_short_name"), row.get("route_long_name"), row.get("route_color"))


def _service(row: _Row) -> Service:
    return Service(tuple(row.text(name) == "1" for name in WEEKDAYS), row.day("start_date"), row.day("end_date"))


def _shapes(reader: _Reader) -> dict[str, Shape]:
    points: dict[str, list[tuple[int, float, float, float]]] = defaultdict(list)
    for row in reader.rows("shapes.txt", required=False):
        points[row.text("shape_id")].append(
            (
                row.number("shape_pt_sequence", int, 0, 1e9),
                row.number("shape_pt_lat", float, -90, 90),
                row.number("shape_pt_lon", float, -180, 180),
                row.number("shape_dist_traveled", float, 0, 1e9, float("nan")),
            )
        )
    shapes = {}
    for shape_id, found in points.items():
        _, latitude, longitude, along = zip(*sorted(found), strict=True)
        shapes[shape_id] = Shape(latitude, longitude, along)
    return shapes


def _calls(reader: _Reader, stops: Mapping[str, Stop]) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = defaultdict(list)
    for row in reader.rows("stop_times.txt"):
        trip_id, stop_id = row.text("trip_id"), row.text("stop_id")
        if stop_id not in stops:
            reader.refuse("stop_times.txt", f"{row.where}.stop_id", stop_id, "add this stop to stops.txt")
        sequence = row.number("stop_sequence", int, 0, 1e9)
        along = row.number("shape_dist_traveled", float, 0, 1e9, float("nan"))
        calls[trip_id].append(
            Call(stop_id, sequence, row.seconds("arrival_time"), row.seconds("departure_time"), along)
        )
    return calls


def _trips(
    reader: _Reader, routes: Mapping[str, Route], shapes: Mapping[str, Shape], calls: Mapping[str, list[Call]]
) -> dict[str, Trip]:
    trips: dict[str, Trip] = {}
    for row in reader.rows("trips.txt"):
        trip_id, route_id, shape_id = row.text("trip_id"), row.text("route_id"), row.get("shape_id")
        if route_id not in routes:
            reader.refuse("trips.txt", f"{trip_id}.route_id", route_id, "add this route to routes.txt")
        if shape_id and shape_id not in shapes:
            reader.refuse("trips.txt", f"{trip_id}.shape_id", shape_id, "add this shape to shapes.txt")
        if trip_id in trips:
            reader.refuse("trips.txt", f"{trip_id}.trip_id", trip_id, "listed twice: keep one row")
        own = tuple(sorted(calls.get(trip_id, ()), key=lambda call: call.sequence))
        _check_calls(reader, trip_id, own)
        trips[trip_id] = Trip(
            trip_id, route_id, row.text("service_id"), row.number("direction_id", int, 0, 1, 0),
            row.get("trip_headsign"), row.get("block_id"), shape_id, own,
        )  # fmt: skip
    for trip_id in calls.keys() - trips.keys():
        reader.refuse("stop_times.txt", f"{trip_id}.trip_id", trip_id, "add this trip to trips.txt")
    return trips


def _check_calls(reader: _Reader, trip_id: str, calls: tuple[Call, ...]) -> None:
    if len(calls) < 2:
        reader.refuse("stop_times.txt", trip_id, f"{len(calls)} stops", "a trip calls at two stops or more")
    last = -1
    for call in calls:
        if not last <= call.arrival_s <= call.departure_s:
            found = f"{call.arrival_s} s after {last} s"
            reader.refuse("stop_times.txt", f"{trip_id}.{call.sequence}", found, "times must not go back")
        last = call.departure_s


@dataclass(frozen=True, slots=True)
class _Row:
    reader: _Reader
    file: str
    where: str
    values: Mapping[str, Any]

    def get(self, key: str) -> str:
        return (self.values.get(key) or "").strip()

    def text(self, key: str) -> str:
        value = self.get(key)
        if not value:
            self.reader.refuse(self.file, f"{self.where}.{key}", "missing", "GTFS requires it: fill it in")
        return value

    def number(
        self, key: str, kind: Callable[[str], Any], low: float, high: float, default: float | None = None
    ) -> Any:
        value = self.get(key)
        if not value and default is not None:
            return default
        try:
            number = kind(value)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            self.reader.refuse(self.file, f"{self.where}.{key}", value, f"must be a number, {low:g} to {high:g}")
            return kind(str(int(low)))
        return number

    def seconds(self, key: str) -> int:
        parts = self.get(key).split(":")
        if len(parts) == 3 and all(part.isdigit() for part in parts) and int(parts[1]) < 60 and int(parts[2]) < 60:
            return int(parts[0]) * 3600 + int(parts[1]) * 60 + int(parts[2])
        self.reader.refuse(self.file, f"{self.where}.{key}", self.get(key), "write HH:MM:SS, hours may pass 24")
        return 0

    def day(self, key: str) -> date:
        value = self.get(key)
        try:
            return datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007 a date has no zone
        except ValueError:
            self.reader.refuse(self.file, f"{self.where}.{key}", value, "write YYYYMMDD")
            return date(2000, 1, 1)


class _Reader:
    """Reads the files and gathers what is wrong in them."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[Problem] = []
        self._folder = folder

    def refuse(self, file: str, key: str, value: str, remedy: str) -> None:
        self.problems.append(Problem(f"{FOLDER}/{file}", key, shown(value), remedy))

    def rows(self, file: str, required: bool = True) -> Iterator[_Row]:
        path = self._folder / file
        if not path.is_file():
            if required:
                self.refuse(file, "", "missing", "GTFS requires this file: add it, or remove the gtfs folder")
            return
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, values in enumerate(csv.DictReader(lines), 2):
                yield _Row(self, file, f"line {number}", values)


def days_of(moment: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The service days that may be running at a moment: yesterday (trips after midnight) and today."""
    today = moment.astimezone(zone).date()
    return today - timedelta(days=1), today
