"""The city as a place: its outlines for the maps, and where things stand that do not tell it themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from city.profile import read_profile

EMPTY: Mapping[str, Any] = {"type": "FeatureCollection", "features": []}


@dataclass(frozen=True)
class Place:
    """Outlines as GeoJSON (WGS 84), the view that shows them all, and the places of the register's entities."""

    name_ru: str
    name_en: str
    zone: ZoneInfo
    latitude: float
    longitude: float
    zoom: float
    loss_target: float
    buildings: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    streets: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    zones: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    water: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    known: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    waste_sites: frozenset[str] = frozenset()
    zone_shapes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """zone_id → GeoJSON geometry."""

    def name(self, language: str) -> str:
        return self.name_ru if language == "ru" else self.name_en

    def called(self, key: str, language: str) -> str:
        """Name of a site, zone, house or device in the register; the key itself where it has none."""
        names = self.names.get(key)
        return key if names is None else names[0 if language == "ru" else 1]

    def is_waste_site(self, site_id: str) -> bool:
        """A waste site of the register; a site that the register does not know is shown rather than hidden."""
        return site_id in self.waste_sites or site_id not in self.known

    def where(self, *keys: str | None) -> tuple[float, float] | None:
        """(latitude, longitude) of the first key that the register knows: a house, a site, a sensor, a device."""
        for key in keys:
            if key and key in self.known:
                return self.known[key]
        return None


# outline → property that names the feature
REGISTERS = {
    "buildings": "building_id",
    "sites": "site_id",
    "devices": "device_id",
    "stops": "stop_id",
    "zones": "zone_id",
}


@st.cache_resource(show_spinner=False)
def load(cities_dir: str, city: str) -> Place:
    """The place of `cities/<city>`; a file that is missing leaves its layer out. Read once a server process."""
    folder = Path(cities_dir) / city
    outlines = {path.stem: _read(path) for path in sorted(folder.glob("*.geojson"))}
    known: dict[str, tuple[float, float]] = {}
    names: dict[str, tuple[str, str]] = {}
    for register, key in REGISTERS.items():
        for feature in outlines.get(register, EMPTY)["features"]:
            told = feature["properties"]
            if key in told:
                known[told[key]] = centre(feature["geometry"])
                names[told[key]] = (
                    told.get("name_ru") or told.get("address") or told[key],
                    told.get("name_en") or told.get("name_ru") or told.get("address") or told[key],
                )
    profile = read_profile(folder)
    latitude, longitude, zoom = _view(outlines)
    return Place(
        name_ru=profile.name.ru,
        name_en=profile.name.en,
        zone=profile.timezone,
        loss_target=profile.norms.water.loss_share_target,
        latitude=latitude,
        longitude=longitude,
        zoom=zoom,
        buildings=_bare(outlines.get("buildings", EMPTY)),
        streets=_bare(outlines.get("streets", EMPTY)),
        zones=_bare(outlines.get("zones", EMPTY)),
        water=_bare(outlines.get("water", EMPTY)),
        known=known,
        names=names,
        waste_sites=frozenset(
            feature["properties"]["site_id"]
            for feature in outlines.get("sites", EMPTY)["features"]
            if feature["properties"].get("kind") == "waste_site"
        ),
        zone_shapes={
            feature["properties"]["zone_id"]: feature["geometry"]
            for feature in outlines.get("zones", EMPTY)["features"]
            if "zone_id" in feature["properties"]
        },
    )


def _read(path: Path) -> Mapping[str, Any]:
    with path.open(encoding="utf-8") as file:
        found = json.load(file)
    return found if found.get("type") == "FeatureCollection" else EMPTY


def _bare(outline: Mapping[str, Any]) -> Mapping[str, Any]:
    """Geometry alone: a live map sends it anew with every step, and nobody may click it."""
    features = [
        {"type": "Feature", "properties": {}, "geometry": feature["geometry"]} for feature in outline["features"]
    ]
    return {"type": "FeatureCollection", "features": features}


def corners(geometry: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """(latitude, longitude) of every corner of any GeoJSON geometry."""
    heap: list[Any] = [geometry.get("coordinates", [])]
    while heap:
        item = heap.pop()
        if item and isinstance(item[0], int | float):
            yield float(item[1]), float(item[0])
        else:
            heap.extend(item)


def centre(geometry: Mapping[str, Any]) -> tuple[float, float]:
    """Middle of the geometry's bounding box: good enough for a point on a map."""
    points = list(corners(geometry))
    latitudes, longitudes = [lat for lat, _ in points], [lon for _, lon in points]
    return (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2


def _view(outlines: Mapping[str, Mapping[str, Any]]) -> tuple[float, float, float]:
    """Latitude, longitude and web-mercator zoom that show the city about 620 pixels wide."""
    chosen = next((outlines[name] for name in ("boundary", "zones", "streets") if name in outlines), EMPTY)
    points = [corner for feature in chosen["features"] for corner in corners(feature["geometry"])]
    if not points:
        return 55.75, 37.62, 9.0
    south, north = min(lat for lat, _ in points), max(lat for lat, _ in points)
    west, east = min(lon for _, lon in points), max(lon for _, lon in points)
    middle = (south + north) / 2
    across = max(east - west, (north - south) / math.cos(math.radians(middle)) * 1.45, 1e-4)
    return middle, (west + east) / 2, math.log2(620 * 360 / (512 * across))
