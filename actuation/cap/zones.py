"""The zones of a city under a spatial index: which of them an area touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import shapely
from shapely.geometry.base import BaseGeometry

from city.geometry import features
from city.profile import City

SLIVER = 1e-4
"""Neighbours share a border, and rounded coordinates overlap by a hair: less than this share of both is no overlap."""

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
        self._ids = list(zones)
        self._shapes = list(zones.values())
        self._areas = [shape.area for shape in self._shapes]
        self._tree = shapely.STRtree(self._shapes)
        self._geocodes = geocodes or {}
        self.names = dict(names or {})
        self.box = shapely.box(*shapely.total_bounds(self._shapes)) if self._shapes else shapely.Polygon()

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
        """Ids of the zones that share more than a border with the shape; for a point, the zones that it lies in."""
        if not shape.area:
            return {self._ids[int(at)] for at in self._tree.query(shape, predicate="intersects")}
        within = {int(at) for at in self._tree.query(shape, predicate="covers")}
        for at in self._tree.query(shape, predicate="intersects"):
            if int(at) not in within and self._overlaps(int(at), shape):
                within.add(int(at))
        return {self._ids[at] for at in within}

    def coded(self, name: str, value: str) -> set[str] | None:
        """Zones of a geocode; None when the city knows no such code."""
        told = self._geocodes.get(name, {}).get(value)
        if told is None:
            return None
        return set(self._ids) if "*" in told else set(told) & set(self._ids)

    def knows(self, name: str) -> bool:
        """Whether the city has a table for a geocode's valueName at all: its other values then mean other places."""
        return name in self._geocodes

    def _overlaps(self, at: int, shape: BaseGeometry) -> bool:
        shared = shapely.intersection(self._shapes[at], shape).area
        return bool(shared > SLIVER * min(self._areas[at], shape.area))
