"""The city's layers: as GeoJSON for a map, as typed features for code, as a GeoDataFrame for analysis."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely
import shapely.geometry
from pydantic import ValidationError
from shapely.geometry.base import BaseGeometry

from city.layers import LAYERS
from city.problem import CityError, Problem, from_validation, shown
from city.profile import City

if TYPE_CHECKING:
    import geopandas

EMPTY: dict[str, Any] = {"type": "FeatureCollection", "features": []}


@dataclass(frozen=True, slots=True)
class Feature:
    """properties: the layer's model (city.layers); geometry: shapely, x = longitude, y = latitude, WGS 84."""

    properties: Any
    geometry: BaseGeometry

    @property
    def latitude(self) -> float:
        """Of the point, or of the middle of a line or polygon, degrees."""
        return float(self.geometry.centroid.y)

    @property
    def longitude(self) -> float:
        return float(self.geometry.centroid.x)


def geojson(city: City, name: str) -> dict[str, Any]:
    """A layer as a GeoJSON FeatureCollection; empty where the city has no such file. The caller may change it."""
    return _read(city.folder / f"{name}.geojson")


def features(city: City, name: str) -> list[Feature]:
    """A layer's features, validated; CityError where one is wrong."""
    file = f"{name}.geojson"
    found = []
    for index, feature in enumerate(geojson(city, name)["features"]):
        try:
            properties = LAYERS[name].properties.model_validate(feature["properties"])
        except ValidationError as error:
            raise CityError(from_validation(file, error, f"features.{index}.properties")) from error
        found.append(Feature(properties, _shape(file, index, feature["geometry"])))
    return found


def _shape(file: str, index: int, geometry: dict[str, Any]) -> BaseGeometry:
    try:
        return shapely.geometry.shape(geometry)
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        remedy = "not a GeoJSON geometry: draw the feature again"
        raise CityError([Problem(file, f"features.{index}.geometry", shown(geometry), remedy)]) from error


def frame(city: City, name: str) -> geopandas.GeoDataFrame:
    """A layer as a GeoDataFrame, one row per feature, EPSG:4326. geopandas takes a second to import, so only here."""
    import geopandas

    columns = list(LAYERS[name].properties.model_fields)
    found = geojson(city, name)["features"]
    return geopandas.GeoDataFrame.from_features(found, crs="EPSG:4326", columns=["geometry", *columns])


class Zones:
    """Which district metered area a point lies in."""

    def __init__(self, city: City) -> None:
        self._zones = features(city, "zones")
        self._tree = shapely.STRtree([zone.geometry for zone in self._zones])

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._zones)

    def zone_at(self, latitude: float, longitude: float) -> str | None:
        """The zone's id; the first in the file on a common border; None outside all."""
        hits = self._tree.query(shapely.Point(longitude, latitude), predicate="intersects")
        return self._zones[int(min(hits))].properties.zone_id if len(hits) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return json.loads(json.dumps(EMPTY))  # type: ignore[no-any-return]
    return json.loads(_text(path, stat.st_mtime_ns, stat.st_size))  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=64)
def _text(path: Path, _changed: int, _size: int) -> str:
    """The file's text once its form is checked; read again when the file changes."""
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise CityError(
            [Problem(path.name, "", str(error), "not JSON: put it right, or draw the layer again")]
        ) from error
    fault = not isinstance(content, dict) or content.get("type") != "FeatureCollection"
    if fault or not isinstance(content.get("features"), list):
        raise CityError([Problem(path.name, "type", shown(content)[:60], "must be a GeoJSON FeatureCollection")])
    for index, feature in enumerate(content["features"]):
        if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
            raise CityError([Problem(path.name, f"features.{index}", shown(feature), "must be a GeoJSON Feature")])
        if not isinstance(feature.get("geometry"), dict):
            raise CityError([Problem(path.name, f"features.{index}.geometry", "missing", "draw its geometry")])
    return text
