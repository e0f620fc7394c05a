"""A city of any size for tests and benchmarks: the shipped city's folder, with other zones and devices.

Zones are squares side by side; each has the doors that are asked for, a siren and a display in the first.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from city.settings import ROOT

SOUTH, WEST, SIDE = 57.582, 39.862, 0.004
LAYERS = ("sites", "buildings", "stops", "streets", "devices")
"""Emptied: they name zones that are no longer there."""


def write_city(folder: Path, doors: Mapping[str, int], scenarios: Mapping[str, str] | None = None) -> Path:
    """cities/gorodok with other zones and devices; returns the folder that holds it: GORODOK_CITIES_DIR.

    doors: zone_id → how many. scenarios: name → YAML, in place of the city's. The city's code stays gorodok.
    """
    town = folder / "gorodok"
    shutil.copytree(ROOT / "cities" / "gorodok", town, ignore=shutil.ignore_patterns("gtfs"))
    zones, devices = [], []
    for number, (zone_id, count) in enumerate(doors.items()):
        west = WEST + number * SIDE
        ring = [[west, SOUTH], [west + SIDE * 0.9, SOUTH], [west + SIDE * 0.9, SOUTH + SIDE], [west, SOUTH + SIDE]]
        ring.append(ring[0])
        names = {"zone_id": zone_id, "name_ru": f"Зона {zone_id}", "name_en": f"Zone {zone_id}"}
        zones.append(_feature(names, {"type": "Polygon", "coordinates": [ring]}))
        devices += [_door(zone_id, at, west) for at in range(count)]
        devices.append(_other(f"siren-{zone_id}", "siren", zone_id, ["siren_on", "siren_off"], west))
        devices.append(_other(f"display-{zone_id}", "display", zone_id, ["show"], west))
        devices.append(_other(f"lamp-{zone_id}", "lamp", zone_id, ["light_on", "light_off"], west))
    for name in LAYERS:
        _write(town / f"{name}.geojson", [])
    _write(town / "zones.geojson", zones)
    _write(town / "devices.geojson", devices)
    (town / "contacts.toml").write_text('[otherwise]\nname = "Диспетчер"\nphone = "+7 4852 000000"\n', encoding="utf-8")
    if scenarios is not None:
        shutil.rmtree(town / "scenarios")
        (town / "scenarios").mkdir()
        for name, text in scenarios.items():
            (town / "scenarios" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def zone_polygon(number: int) -> str:
    """CAP's polygon, "lat,lon lat,lon …", within the zone of this place in the order."""
    west = WEST + number * SIDE + SIDE * 0.2
    corners = (
        (SOUTH + SIDE * 0.2, west),
        (SOUTH + SIDE * 0.2, west + SIDE * 0.4),
        (SOUTH + SIDE * 0.6, west + SIDE * 0.2),
    )
    return " ".join(f"{lat:.6f},{lon:.6f}" for lat, lon in (*corners, corners[0]))


def _door(zone_id: str, number: int, west: float) -> dict[str, Any]:
    name = f"door-{zone_id}-{number:05d}"
    point = {"type": "Point", "coordinates": [round(west + 0.0001 + number % 50 * 5e-5, 6), SOUTH + 0.001]}
    words = {"name_ru": f"Дверь {number}", "name_en": f"Door {number}"}
    return _feature(
        {"device_id": name, "kind": "door", **words, "zone_id": zone_id, "actions": ["unlock", "lock"]}, point
    )


def _other(device_id: str, kind: str, zone_id: str, actions: list[str], west: float) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [round(west + 0.001, 6), SOUTH + 0.002]}
    words = {"name_ru": device_id, "name_en": device_id}
    return _feature({"device_id": device_id, "kind": kind, **words, "zone_id": zone_id, "actions": actions}, point)


def _feature(properties: dict[str, Any], geometry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _write(path: Path, features: list[dict[str, Any]]) -> None:
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), encoding="utf-8"
    )
