"""Checks a city's folder as a whole: every file by its model, every reference between them, every place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from city.contacts import CONTACTS_FILE, load_contacts
from city.geometry import Feature, features, geojson
from city.gtfs import FOLDER, has_timetable, read_gtfs
from city.layers import LAYERS, Layer
from city.problem import CityError, Problem, shown
from city.profile import City, read_profile
from city.roles import load_roles
from city.water import WATER_FILE, load_water

OVERLAP_SHARE = 1e-4
"""Two zones may share so much of the smaller one: rounding of a common border."""


def check_city(path: Path) -> list[Problem]:
    """Everything that is wrong with the folder `path`; empty when nothing is."""
    try:
        city = read_profile(path)
    except CityError as error:
        return error.problems
    problems: list[Problem] = []
    layers: dict[str, list[Feature]] = {}
    for layer in LAYERS.values():
        problems += _form(city, layer)
        try:
            layers[layer.name] = features(city, layer.name)
        except CityError as error:
            problems += error.problems
    for name, found in layers.items():
        problems += _places(city, LAYERS[name], found)
        problems += _names(LAYERS[name], found, layers)
    problems += _zones(layers.get("zones", []))
    problems += _water(city, layers.get("zones", []))
    problems += _timetable(city, layers.get("stops", []))
    problems += _people(city, layers)
    return problems


def _people(city: City, layers: dict[str, list[Feature]]) -> Iterator[Problem]:
    """Contacts of houses and devices that are there, roles that exist."""
    try:
        contacts = load_contacts(city.folder)
        load_roles(city.folder)
    except CityError as error:
        yield from error.problems
        return
    for field, layer, key in (("buildings", "buildings", "building_id"), ("devices", "devices", "device_id")):
        known = {getattr(feature.properties, key) for feature in layers.get(layer, [])}
        for index, one in enumerate(contacts.contacts):
            for name in getattr(one, field):
                if name not in known:
                    yield Problem(CONTACTS_FILE, f"contacts.{index}.{field}", shown(name), f"not in {layer}.geojson")


def _form(city: City, layer: Layer) -> Iterator[Problem]:
    """Present, and of the right geometry."""
    file = f"{layer.name}.geojson"
    if not (city.folder / file).is_file():
        if layer.required:
            yield Problem(file, "", "missing", "every city has this layer: draw it")
        return
    try:
        found = geojson(city, layer.name)["features"]
    except CityError:
        return
    if layer.required and not found:
        yield Problem(file, "features", "[]", "needs one feature or more: draw it")
    for index, feature in enumerate(found):
        kind = feature["geometry"].get("type")
        if kind not in layer.geometry:
            remedy = f"a feature of {layer.name} is a {' or '.join(layer.geometry)}: draw it so"
            yield Problem(file, f"features.{index}.geometry.type", shown(kind), remedy)


def _places(city: City, layer: Layer, found: list[Feature]) -> Iterator[Problem]:
    """Valid shapes within the city's bounds."""
    file, bounds = f"{layer.name}.geojson", city.bounds
    for index, feature in enumerate(found):
        key, shape = f"features.{index}.geometry", feature.geometry
        if shape.is_empty or not shape.is_valid:
            yield Problem(file, key, shapely.is_valid_reason(shape), "draw it again without crossing lines")
            continue
        west, south, east, north = shape.bounds
        if not (bounds.holds(south, west) and bounds.holds(north, east)) and layer.name != "water":
            where = f"{south:.4f},{west:.4f} to {north:.4f},{east:.4f} (latitude,longitude)"
            yield Problem(
                file, key, where, "outside bounds of city.toml: GeoJSON is longitude, latitude; or widen bounds"
            )


def _names(layer: Layer, found: list[Feature], layers: dict[str, list[Feature]]) -> Iterator[Problem]:
    """Keys are unique; references lead somewhere."""
    file, seen = f"{layer.name}.geojson", set()
    known = {
        name: {getattr(one.properties, LAYERS[name].key or "", None) for one in layers.get(name, [])} for name in LAYERS
    }
    for index, feature in enumerate(found):
        where = f"features.{index}.properties"
        if layer.key:
            key = getattr(feature.properties, layer.key)
            if key in seen:
                yield Problem(file, f"{where}.{layer.key}", shown(key), "used before in this file: give it another")
            seen.add(key)
        for name, other in layer.refers:
            value = getattr(feature.properties, name)
            if value is not None and value not in known[other]:
                remedy = f"not in {other}.geojson: put it there, or correct this"
                yield Problem(file, f"{where}.{name}", shown(value), remedy)


def _water(city: City, zones: list[Feature]) -> Iterator[Problem]:
    """water.toml by its model; its zones are those of the map."""
    try:
        told = load_water(city).zones
    except CityError as error:
        yield from error.problems
        return
    known = {zone.properties.zone_id for zone in zones}
    for zone_id in sorted(told.keys() - known):
        yield Problem(WATER_FILE, f"zones.{zone_id}", zone_id, "no such zone in zones.geojson: draw it, or remove it")


def _zones(zones: list[Feature]) -> Iterator[Problem]:
    """District metered areas do not overlap: each house drinks from one."""
    valid = [zone for zone in zones if zone.geometry.is_valid]
    for index, one in enumerate(valid):
        for other in valid[index + 1 :]:
            if _overlap(one.geometry, other.geometry) > OVERLAP_SHARE:
                pair = f"{one.properties.zone_id} and {other.properties.zone_id}"
                yield Problem("zones.geojson", "features", pair, "they overlap: draw a common border")


def _overlap(one: BaseGeometry, other: BaseGeometry) -> float:
    return float(one.intersection(other).area / max(min(one.area, other.area), 1e-12))


def _timetable(city: City, stops: list[Feature]) -> Iterator[Problem]:
    """GTFS joins within itself, and its stops are the layer's."""
    if not has_timetable(city.folder):
        if (city.folder / FOLDER).exists():
            yield Problem(
                f"{FOLDER}/stop_times.txt", "", "missing", "GTFS requires it: add it, or remove the gtfs folder"
            )
        return
    try:
        timetable = read_gtfs(city.folder)
    except CityError as error:
        yield from error.problems
        return
    drawn = {stop.properties.stop_id for stop in stops}
    for stop in timetable.stops.values():
        if stop.stop_id not in drawn:
            yield Problem(f"{FOLDER}/stops.txt", "stop_id", shown(stop.stop_id), "not in stops.geojson: draw it there")
        if not city.bounds.holds(stop.latitude, stop.longitude):
            where = f"{stop.latitude},{stop.longitude}"
            yield Problem(f"{FOLDER}/stops.txt", stop.stop_id, where, "outside bounds of city.toml: correct it")
