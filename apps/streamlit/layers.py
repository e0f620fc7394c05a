"""City state → points on a map: where each entity is, its colour, what it says, how old it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from apps.streamlit import judge
from apps.streamlit.maps import Colour, Point, PointLayer
from apps.streamlit.place import Place
from apps.streamlit.words import Words
from ingest.contracts import CONTRACTS

# Okabe & Ito 2008: eight colours that differ for every kind of colour vision
COLOURS: dict[str, Colour] = {
    "vehicle_position": (0, 114, 178),
    "meter_reading": (86, 180, 233),
    "scada_reading": (0, 158, 115),
    "camera_event": (204, 121, 167),
    "complaint": (230, 159, 0),
    "alert": (213, 94, 0),
    "incident": (190, 40, 40),
}
RADIUS_PX = {"vehicle_position": 9, "incident": 9, "alert": 9, "meter_reading": 4, "scada_reading": 5}
ENTITIES_SHOWN = 3_000

Row = Mapping[str, Any]


def layer(feed: str, latest: pl.DataFrame, place: Place, words: Words, now: datetime) -> PointLayer:
    """Points of one feed. Entities without a known place are left out (the table has them)."""
    if feed == "meter_reading":
        points = _houses(latest, place, words, now)
    else:
        points = [
            point
            for row in latest.head(ENTITIES_SHOWN).iter_rows(named=True)
            if (point := _point(feed, row, place, words, now)) is not None
        ]
    return PointLayer(feed, points, RADIUS_PX.get(feed, 6))


def is_stale(feed: str, event_at: datetime, now: datetime) -> bool:
    """Older than the feed's freshness; feeds that are never due do not get stale."""
    freshness_s = CONTRACTS[feed].spec.freshness_s if feed in CONTRACTS else 0
    return bool(freshness_s) and feed != "complaint" and now - event_at > timedelta(seconds=freshness_s)


def is_over(feed: str, told: Mapping[str, Any], now: datetime) -> bool:
    """Closed requests and incidents and alerts that ended are history, not the city's state."""
    if feed in ("complaint", "incident"):
        return told.get("status") == "closed"
    if feed == "alert":
        ends = [_time(info.get("expires")) for info in told.get("info", []) if isinstance(info, dict)]
        return told.get("msgType") == "Cancel" or any(end is not None and end < now for end in ends)
    return False


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _point(feed: str, row: Row, place: Place, words: Words, now: datetime) -> Point | None:
    told = judge.payload(row)
    if is_over(feed, told, now):
        return None
    where = position(row, told, place)
    if where is None:
        return None
    stale = is_stale(feed, row["event_at"], now)
    lines = [*SAYS.get(feed, _plain)(row, told, words), words.age(row["event_at"], now)]
    label = str(told.get("route_id") or "")[:4] if feed == "vehicle_position" else ""
    return Point(row["entity"], *where, COLOURS.get(feed, (110, 120, 130)), lines, label, faded=stale)


def position(row: Row, told: Mapping[str, Any], place: Place) -> tuple[float, float] | None:
    """(latitude, longitude): the message's own, else its area's, else of the thing in the city's register."""
    if row["latitude"] is not None and row["longitude"] is not None:
        return row["latitude"], row["longitude"]
    if row["feed"] == "alert":
        return _area_centre(told)
    keys = (row["entity"], told.get("site_id"), told.get("house_id"), told.get("device_id"), told.get("subject"))
    return place.where(*(str(key) for key in keys if key))


def _area_centre(told: Mapping[str, Any]) -> tuple[float, float] | None:
    corners = [corner for ring in alert_rings(told) for corner in ring]
    if not corners:
        return None
    return sum(lat for lat, _ in corners) / len(corners), sum(lon for _, lon in corners) / len(corners)


def alert_rings(told: Mapping[str, Any]) -> list[list[tuple[float, float]]]:
    """CAP 1.2 polygons "lat,lon lat,lon …" as lists of (latitude, longitude)."""
    rings: list[list[tuple[float, float]]] = []
    for info in told.get("info", []):
        for area in info.get("area", []):
            for text in area.get("polygon", []):
                try:
                    rings.append([(float(a), float(b)) for a, b in (pair.split(",") for pair in text.split())])
                except ValueError:
                    continue
    return rings


def _houses(latest: pl.DataFrame, place: Place, words: Words, now: datetime) -> list[Point]:
    """Meters by house: one point a house, its newest reading and how many meters spoke."""
    by_house: dict[str, list[Row]] = defaultdict(list)
    for row in latest.iter_rows(named=True):
        by_house[str(judge.payload(row).get("house_id") or row["entity"])].append(row)
    points = []
    for house, rows in by_house.items():
        newest = max(rows, key=lambda row: row["event_at"])
        where = place.where(house) or position(newest, judge.payload(newest), place)
        if where is None:
            continue
        lines = [
            words("twin.house", house=house),
            words("twin.meters", count=len(rows)),
            words.age(newest["event_at"], now),
        ]
        stale = is_stale("meter_reading", newest["event_at"], now)
        points.append(Point(house, *where, COLOURS["meter_reading"], lines, faded=stale))
    return points


def _vehicle(row: Row, told: Row, words: Words) -> list[str]:
    speed = told.get("speed_m_s")
    route = told.get("route_id")
    return [
        words("twin.route", route=route) if route else str(row["entity"]),
        str(row["entity"]) if route else "",
        words.quantity(speed * 3.6, "km/h") if isinstance(speed, int | float) else "",
    ]


def _scada(row: Row, told: Row, words: Words) -> list[str]:
    quantity = str(told.get("quantity", ""))
    value = told.get("value")
    shown = words.quantity(float(value), quantity) if isinstance(value, int | float) else "—"
    return [str(row["entity"]), f"{words.maybe(f'quantity.{quantity}', quantity)}: {shown}"]


def _camera(row: Row, told: Row, words: Words) -> list[str]:
    seen = str(told.get("class_name", ""))
    confidence = told.get("confidence")
    sure = words.percent(confidence, 0) if isinstance(confidence, int | float) else ""
    return [str(told.get("site_id") or row["entity"]), f"{words.maybe(f'seen.{seen}', seen)} {sure}".strip()]


def _complaint(row: Row, told: Row, words: Words) -> list[str]:
    return [
        str(told.get("service_name") or told.get("service_code") or row["entity"]),
        str(row["entity"]),
        str(told.get("executor") or ""),
    ]


def _alert(row: Row, told: Row, words: Words) -> list[str]:
    infos = [info for info in told.get("info", []) if isinstance(info, dict)]
    own = [info for info in infos if str(info.get("language", "")).lower().startswith(words.language)]
    info = (own or infos or [{}])[0]
    severity = str(info.get("severity", ""))
    return [str(info.get("headline") or info.get("event") or row["entity"]), words.maybe(f"cap.{severity}", severity)]


def _incident(row: Row, told: Row, words: Words) -> list[str]:
    severity = str(told.get("severity", ""))
    return [str(told.get("title") or row["entity"]), words.maybe(f"severity.{severity}", severity)]


def _plain(row: Row, told: Row, words: Words) -> list[str]:
    return [str(row["entity"])]


SAYS: dict[str, Callable[[Row, Row, Words], list[str]]] = {
    "vehicle_position": _vehicle,
    "scada_reading": _scada,
    "camera_event": _camera,
    "complaint": _complaint,
    "alert": _alert,
    "incident": _incident,
}


def describe(feed: str, row: Row, words: Words) -> list[str]:
    """What one entity says, as lines of text (the map's tip and the table use the same)."""
    return [line for line in SAYS.get(feed, _plain)(row, judge.payload(row), words) if line]


def rings(latest: pl.DataFrame, now: datetime) -> list[list[tuple[float, float]]]:
    """Areas of the alerts that are in force."""
    found: list[list[tuple[float, float]]] = []
    for row in latest.filter(pl.col("feed") == "alert").iter_rows(named=True):
        told = judge.payload(row)
        if not is_over("alert", told, now):
            found.extend(ring for ring in alert_rings(told) if ring not in found)
    return found


def personal_fields(feed: str) -> frozenset[str]:
    """Fields that identify a person: no page shows them."""
    fields = CONTRACTS[feed].model_fields.items()
    return frozenset(
        name for name, info in fields if isinstance(extra := info.json_schema_extra, dict) and extra.get("personal")
    )
