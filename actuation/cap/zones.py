"""The zones of a city under a spatial index: which of them an area touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from city.geometry import features
from city.profile import City

HAIR = 2e-5
"""Degrees, 2 m: neighbours share a border, and rounded coordinates overlap by less; only deeper is inside a zone."""

Geocodes = Mapping[str, Mapping[str, Sequence[str]]]


class ZoneIndex:
    """10,000 zones are matched in microseconds where the area is small, in milliseconds where it holds them all."""

    def __init__(
        self,
        zones: Mapping[str, BaseGeometry],
        geocodes: Geocodes | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """zones: by id, WGS 84, x = longitude. names: lower-case name → id, for texts."""
        shapes = list(zones.values())
        self._ids = np.array(list(zones), dtype=object)
        self._tree = shapely.STRtree(shapes)
        self._inner = shapely.STRtree(_shrunk(shapes))
        self._geocodes = geocodes or {}
        self.names = dict(names or {})
        self.box = shapely.box(*shapely.total_bounds(shapes)) if shapes else shapely.Polygon()

    @classmethod
    def of(cls, city: City, geocodes: Geocodes | None = None) -> ZoneIndex:
        found = features(city, "zones")
        names = {
            name.casefold(): zone.properties.zone_id
            for zone in found
            for name in (zone.properties.name_ru, zone.properties.name_en, zone.properties.zone_id)
        }
        return cls({zone.properties.zone_id: zone.geometry for zone in found}, geocodes, names)

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._ids)

    def touched(self, shape: BaseGeometry) -> set[str]:
        """Ids of the zones that share more than a border with the shape; of a point, those that it lies in."""
        tree = self._inner if shape.area else self._tree
        return set(self._ids[tree.query(shape, predicate="intersects")])

    def coded(self, name: str, value: str) -> set[str] | None:
        """Zones of a geocode; None when the city knows no such code."""
        told = self._geocodes.get(name, {}).get(value)
        if told is None:
            return None
        return set(self._ids) if "*" in told else set(told) & set(self._ids)

    def knows(self, name: str) -> bool:
        """Whether the city has a table for a geocode's valueName at all: its other values then mean other places."""
        return name in self._geocodes


def _shrunk(shapes: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Each zone without its outermost HAIR; a zone that is all border, as its middle."""
    inner = shapely.buffer(np.array(shapes, dtype=object), -HAIR, join_style="mitre")
    return [
        shapely.point_on_surface(shape) if small.is_empty else small for shape, small in zip(shapes, inner, strict=True)
    ]
