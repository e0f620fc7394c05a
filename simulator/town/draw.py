"""All generated files of the town as text, by their path inside the city's folder."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from simulator.town import buildings, sites, transit
from simulator.town import plan as town

SEED = 2018
"""The seed of the files that are checked in."""


def draw(seed: int = SEED) -> dict[str, str]:
    """Relative path → content. Same seed, same bytes."""
    plan = town.plan(seed)
    houses = buildings.buildings(seed, plan)
    places = sites.sites(plan, houses)
    stops = transit.stops(plan)
    layers = {
        "boundary": [_polygon({"name_ru": "Городок", "name_en": "Gorodok"}, town.boundary())],
        "water": [_polygon({"name_ru": "река Городка", "name_en": "Gorodka river"}, town.river())],
        "zones": [
            _polygon({"zone_id": zone_id, "name_ru": name_ru, "name_en": name_en}, ring)
            for ring, (zone_id, name_ru, name_en) in zip(town.zone_rings(), town.ZONES, strict=True)
        ],
        "streets": _streets(plan),
        "buildings": houses,
        "sites": places,
        "stops": stops,
        "devices": sites.devices(places, stops),
    }
    files = {f"{name}.geojson": _geojson(features) for name, features in layers.items()}
    return files | {f"gtfs/{name}": _csv(rows) for name, rows in transit.gtfs(plan).items()}


def write(folder: Path, seed: int = SEED) -> list[Path]:
    """Writes the files under `folder`; returns their paths."""
    paths = []
    for name, text in draw(seed).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def _streets(plan: town.Plan) -> list[dict[str, Any]]:
    lines = [(street, plan.across(row)) for row, street in enumerate(town.ACROSS)]
    lines += [(street, plan.along(column)) for column, street in enumerate(town.ALONG)]
    return [
        {
            "type": "Feature",
            "properties": {"street_id": street_id, "name_ru": name_ru, "name_en": name_en},
            "geometry": {"type": "LineString", "coordinates": [list(town.degrees(point)) for point in points]},
        }
        for (street_id, name_ru, name_en), points in lines
    ]


def _polygon(properties: dict[str, Any], ring: list[town.Point]) -> dict[str, Any]:
    coordinates = [list(town.degrees(point)) for point in [*ring, ring[0]]]
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [coordinates]}}


def _geojson(features: list[dict[str, Any]]) -> str:
    """One feature a line, so that a change of one shows as one line."""
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
    return f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n'


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
