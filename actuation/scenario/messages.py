"""Messages of contracts into events, for simulation; the reflex process makes its own from what it checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

import shapely

from actuation.scenario.alerts import key_of, parse_time
from actuation.scenario.event import Event, EventKind, Trust
from city.geometry import features
from city.problem import CityError, Problem, shown
from city.profile import City
from ingest.contracts import CONTRACTS

EVENT_KEYS = {"kind", "key", "at"}
KM_PER_DEG = 111.32


def read_events(lines: Iterable[str], city: City, trust: Trust, file: str = "events") -> Iterator[Event]:
    """JSON lines: events as the journal has them, or messages of contracts with `feed`; CityError names the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            said = json.loads(line)
            if said.keys() >= EVENT_KEYS:
                yield event_from_json(said)
            else:
                yield event_of(str(said.pop("feed", None) or _feed_of(said)), said, city, trust)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            remedy = "an event needs kind, key, at; a message needs feed and the fields of its contract"
            raise CityError([Problem(file, f"line {number}", f"{shown(line.strip())} ({error})", remedy)]) from error


def event_from_json(said: Mapping[str, Any]) -> Event:
    """The event of one journal line; ValueError or KeyError where it is none."""
    at = parse_time(said["at"])
    if said["kind"] not in get_args(EventKind) or at is None:
        raise ValueError(f"kind {said['kind']!r} or time {said['at']!r} is not one")
    return Event(
        said["kind"], str(said["key"]), at, said.get("body") or {}, tuple(said.get("zones") or ()),
        said.get("trust", "none"), said.get("by"),
    )  # fmt: skip


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as JSON types; `event_from_json` gives it back."""
    return {
        "kind": event.kind,
        "key": event.key,
        "at": event.at.isoformat(),
        "body": dict(event.body),
        "zones": list(event.zones),
        "trust": event.trust,
        "by": event.by,
    }


def event_of(feed: str, message: Mapping[str, Any], city: City, trust: Trust) -> Event:
    """A message of a contract as the event that the engine knows; what has no kind of its own is a state value."""
    if feed not in CONTRACTS:
        raise ValueError(f"feed {feed!r} is unknown: one of {', '.join(sorted(CONTRACTS))}")
    spec = CONTRACTS[feed].spec
    checked = CONTRACTS[feed].model_validate_json(json.dumps(message, default=_text))
    body = checked.model_dump(mode="json", exclude_none=True)
    at = parse_time(body[spec.event_time])
    if at is None:
        raise ValueError(f"{spec.event_time} is not a time with its offset")
    if feed == "alert":
        return Event("alert", key_of(body), at, body, zones_of(body, city), trust)
    key = "|".join(str(body.get(name)) for name in spec.key)
    if feed in ("camera_event", "incident"):
        return Event("camera_event" if feed == "camera_event" else "incident", key, at, body, (), trust)
    values = {"feed": feed, "entity": str(body.get(spec.entity)), **body}
    return Event("state", f"{feed}|{key}", at, values, (), trust)


def zones_of(body: Mapping[str, Any], city: City) -> tuple[str, ...]:
    """Zones that the alert's areas touch: polygons, circles, geocodes `zone_id`. For simulation: nothing is refused."""
    found: set[str] = set()
    zones = {feature.properties.zone_id: feature.geometry for feature in features(city, "zones")}
    for area in (area for info in body.get("info") or () for area in info.get("area") or ()):
        found |= {code["value"] for code in area.get("geocode") or () if code["value"] in zones}
        shapes = [_polygon(text) for text in area.get("polygon") or ()]
        shapes += [_circle(text) for text in area.get("circle") or ()]
        found |= {zone for zone, shape in zones.items() for each in shapes if each.intersects(shape)}
    return tuple(sorted(found))


def _polygon(text: str) -> Any:
    points = [tuple(map(float, point.split(","))) for point in text.split()]
    return shapely.Polygon([(longitude, latitude) for latitude, longitude in points])


def _circle(text: str) -> Any:
    centre, radius_km = text.split()
    latitude, longitude = map(float, centre.split(","))
    return shapely.Point(longitude, latitude).buffer(max(float(radius_km), 0.001) / KM_PER_DEG)


def _feed_of(message: Mapping[str, Any]) -> str:
    for feed, needs in (("alert", {"identifier", "sender", "sent"}), ("camera_event", {"camera_id", "event_id"}),
                        ("incident", {"incident_id", "kind"})):  # fmt: skip
        if needs <= message.keys():
            return feed
    raise ValueError("no `feed`, and its fields do not tell")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
