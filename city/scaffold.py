"""A new city's folder: the least that passes the check, with every key explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from city.problem import CityError, Problem, shown
from city.profile import PROFILE_FILE

NAME = re.compile(r"^[a-z][a-z0-9_-]{0,63}$")
HALF_DEG = 0.05

PROFILE = """\
# {code}: what the platform must know of this city. city/profile.py is the model and refuses any other key;
# cities/gorodok/city.toml shows every key with its meaning. After a change: `gorodok city check {code}`.

time_zone = "Europe/Moscow" # IANA name
population = 0              # residents, people
population_year = 2026      # year that the number is of

[name]
ru = "{code}"
en = "{code}"

[centre] # where a map opens, WGS 84 degrees
latitude = {latitude}
longitude = {longitude}

[bounds] # every coordinate of the city's files lies within, WGS 84 degrees
south = {south}
west = {west}
north = {north}
east = {east}

# Who answers for the feeds of an owner code; the codes are in docs/contracts.
[owners.appeals]
name_ru = "Отдел по работе с обращениями"
name_en = "Residents' requests department"
contact = "appeals@{code}.example"

# What a resident can ask for (Open311 GeoReport v2 services), one block each.
[[services]]
code = "other"
name_ru = "Другое"
name_en = "Other"
group = "other"
owner = "appeals"
executor = "Отдел по работе с обращениями"
deadline_h = 720 # the city's norm, hours
"""


def new_city(cities_dir: Path, code: str, latitude: float = 55.75, longitude: float = 37.62) -> list[Path]:
    """Writes `cities_dir/code`; returns the files. CityError when the name is wrong or taken."""
    folder = cities_dir / code
    if not NAME.match(code):
        remedy = "use a-z, 0-9, - and _, a letter first: it becomes part of topics and tables"
        raise CityError([Problem(code, "NAME", shown(code), remedy)])
    if folder.exists():
        raise CityError([Problem(code, "NAME", shown(str(folder)), "is there already: choose another, or remove it")])
    bounds = {
        "south": round(latitude - HALF_DEG, 6),
        "west": round(longitude - 2 * HALF_DEG, 6),
        "north": round(latitude + HALF_DEG, 6),
        "east": round(longitude + 2 * HALF_DEG, 6),
    }
    names = {"name_ru": code, "name_en": code}
    files = {
        PROFILE_FILE: PROFILE.format(code=code, latitude=latitude, longitude=longitude, **bounds),
        "boundary.geojson": _square(names, bounds),
        "zones.geojson": _square({"zone_id": "zone-1", **names}, bounds),
    }
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _square(properties: dict[str, Any], bounds: dict[str, float]) -> str:
    south, west, north, east = bounds["south"], bounds["west"], bounds["north"], bounds["east"]
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}, ensure_ascii=False, indent=1) + "\n"
