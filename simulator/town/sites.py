"""Places that are watched and devices that watch or act: waste sites, crossings, yards, shelters; cameras, lamps, …"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.town import plan as town
from simulator.town.plan import Plan, Point

WASTE_SITES = 12
YARDS = 6
CROSSINGS = ((2, 1), (2, 2), (2, 3), (1, 2), (3, 3), (4, 4))
"""(row, column) of the street crossings that have a lamp, a camera and a presence radar."""
SHELTERS = ("school", "culture", "hospital", "sports")
"""Kinds of public buildings with a shelter; the first building of each."""
DISPLAY_STOPS = ("s-01", "s-03", "s-06", "s-09")


@dataclass(frozen=True)
class Place:
    """A point with what is needed to say where it is."""

    point: Point
    text_ru: str
    text_en: str
    building_id: str | None = None


def sites(plan: Plan, buildings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks = [house for house in buildings if house["properties"]["kind"] == "apartments"]
    features = []
    for number, house in enumerate(_spread(blocks, WASTE_SITES), 1):
        features.append(_site(f"waste-{number:02d}", "waste_site", _beside(house, 30), "Контейнерная площадка", number))
    for number, (row, column) in enumerate(CROSSINGS, 1):
        place = Place(
            plan.nodes[row][column],
            f"{town.ACROSS[row][1]} / {town.ALONG[column][1]}",
            f"{town.ACROSS[row][2]} / {town.ALONG[column][2]}",
        )
        features.append(_site(f"crossing-{number:02d}", "crossing", place, "Пешеходный переход", number))
    for number, house in enumerate(_spread(blocks[3:], YARDS), 1):
        features.append(_site(f"yard-{number:02d}", "yard", _beside(house, 18), "Двор", number))
    for number, kind in enumerate(SHELTERS, 1):
        house = next(house for house in buildings if house["properties"]["kind"] == kind)
        features.append(_site(f"shelter-{number:02d}", "shelter", _beside(house, 0), "Укрытие", number))
    return features


TITLES_EN = {"waste_site": "Waste site", "crossing": "Crossing", "yard": "Yard", "shelter": "Shelter"}


def _site(site_id: str, kind: str, place: Place, title_ru: str, number: int) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "site_id": site_id,
        "kind": kind,
        "name_ru": f"{title_ru} № {number}, {place.text_ru}",
        "name_en": f"{TITLES_EN[kind]} No. {number}, {place.text_en}",
        "zone_id": town.zone_of(place.point),
        "building_id": place.building_id,
        "containers": 3 + number % 3 if kind == "waste_site" else None,
        "capacity_people": 120 + 40 * number if kind == "shelter" else None,
    }
    return _point(properties, place.point)


def _spread(houses: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    step = len(houses) / count
    return [houses[int(index * step)] for index in range(count)]


def _beside(house: dict[str, Any], away_m: float) -> Place:
    """A place behind the house, away from its street; 0 m is the house itself."""
    ring = [_metres(place) for place in house["geometry"]["coordinates"][0][:-1]]
    middle = (sum(x for x, _ in ring) / 4, sum(y for _, y in ring) / 4)
    front = town.between(ring[0], ring[1], 0.5) if _faces_front(ring, middle) else town.between(ring[2], ring[3], 0.5)
    depth = town.distance(front, middle)
    point = town.between(front, middle, (depth + (away_m and depth + away_m)) / depth)
    properties = house["properties"]
    street = next(street for street in town.ACROSS if street[0] == properties["street_id"])
    return Place(
        point, f"{street[1]}, д. {properties['house_number']}", f"{street[2]}, {properties['house_number']}",
        properties["building_id"],
    )  # fmt: skip


def _faces_front(ring: list[Point], middle: Point) -> bool:
    """Northern houses list their street side first, southern ones (reversed rings) last; both are drawn to the left."""
    return ring[0][1] + ring[1][1] < 2 * middle[1]


def _metres(place: list[float]) -> Point:
    longitude, latitude = place
    x_unit, y_unit = town.degrees((1_000_000.0, 1_000_000.0))
    return (
        (longitude - town.CENTRE_LON) / (x_unit - town.CENTRE_LON) * 1e6,
        (latitude - town.CENTRE_LAT) / (y_unit - town.CENTRE_LAT) * 1e6,
    )


def _point(properties: dict[str, Any], point: Point) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Point", "coordinates": list(town.degrees(point))},
    }


@dataclass(frozen=True)
class Mount:
    """Where a device hangs; its name ends with the name of what it is at."""

    place: list[float]
    at_ru: str
    at_en: str
    zone_id: str
    site_id: str | None = None
    stop_id: str | None = None


def devices(sites: list[dict[str, Any]], stops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    features = []
    for site in sites:
        here, kind, site_id = site["properties"], site["properties"]["kind"], site["properties"]["site_id"]
        mount = Mount(site["geometry"]["coordinates"], here["name_ru"], here["name_en"], here["zone_id"], site_id)
        if kind in ("waste_site", "crossing", "yard"):
            features.append(_device(f"cam-{site_id}", "camera", ("Камера", "Camera"), mount))
        if kind == "crossing":
            lamp = _device(f"lamp-{site_id}", "lamp", ("Светильник", "Lamp"), mount)
            lamp["properties"]["passport"] = _passport(int(site_id[-2:]))
            features.append(lamp)
            features.append(_device(f"radar-{site_id}", "radar", ("Радар присутствия", "Presence radar"), mount))
        if kind == "shelter":
            features.append(_device(f"door-{site_id}", "door", ("Дверь", "Door"), mount))
    for stop in stops:
        stop_id, name, zone_id = (stop["properties"][key] for key in ("stop_id", "name_ru", "zone_id"))
        if stop_id in DISPLAY_STOPS:
            mount = Mount(stop["geometry"]["coordinates"], name, name, zone_id, stop_id=stop_id)
            features.append(_device(f"display-{stop_id}", "display", ("Табло", "Display"), mount))
    return features + _of_zones()


QUANTITIES = (
    ("flow", "flow_m3_h", "inlet", ("Расход на вводе", "Inlet flow")),
    ("pressure", "pressure_m", "inlet", ("Давление на вводе", "Inlet pressure")),
    ("level", "level_m", "internal", ("Уровень в резервуаре", "Tank level")),
)


def _of_zones() -> list[dict[str, Any]]:
    """Each area's inlet (flow, pressure), its tank (level) and a siren."""
    features = []
    for ring, (zone_id, name_ru, name_en) in zip(town.zone_rings(), town.ZONES, strict=True):
        x, y = (sum(point[axis] for point in ring) / len(ring) for axis in (0, 1))
        for offset, (code, quantity, role, titles) in enumerate(QUANTITIES):
            mount = Mount(list(town.degrees((x + 40 + 25 * offset, y - 70))), name_ru, name_en, zone_id)
            device = _device(f"{code}-{zone_id}", "scada", titles, mount)
            device["properties"] |= {"quantity": quantity, "role": role}
            features.append(device)
        mount = Mount(list(town.degrees((x, y + 60))), name_ru, name_en, zone_id)
        features.append(_device(f"siren-{zone_id}", "siren", ("Сирена", "Siren"), mount))
    return features


def _passport(number: int) -> dict[str, Any]:
    """The city's requirement to a crossing's lamp, and what was measured at acceptance (made up, as the town is)."""
    return {
        "requirement_ru": "Пешеход на переходе виден водителю с 100 м",
        "requirement_en": "A driver sees a pedestrian on the crossing from 100 m",
        "required": 100,
        "measured": 108 + 7 * number % 20,
        "unit": "m",
        "measured_on": f"2026-09-{10 + number:02d}",
        "document": f"Акт приёмки № {number}",
    }


ACTIONS = {
    "door": ["unlock", "lock"],
    "lamp": ["light_on", "light_off"],
    "siren": ["siren_on", "siren_off"],
    "display": ["show"],
}


def _device(device_id: str, kind: str, titles: tuple[str, str], mount: Mount) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "device_id": device_id,
        "kind": kind,
        "name_ru": f"{titles[0]}: {mount.at_ru}",
        "name_en": f"{titles[1]}: {mount.at_en}",
        "zone_id": mount.zone_id,
        "site_id": mount.site_id,
        "stop_id": mount.stop_id,
        "actions": ACTIONS.get(kind, []),
        "quantity": None,
        "role": None,
    }
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Point", "coordinates": list(mount.place)},
    }
