"""Which zones each <info> of an alert is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapely.geometry.base import BaseGeometry

from actuation.cap.area import BadAreaError, circle, polygon, swapped
from actuation.cap.source import CapSource
from actuation.cap.verdict import RefusedError
from actuation.cap.zones import ZoneIndex


class Places:
    """For one alert. remarks: geocodes that the city does not know, areas that name nothing.

    Languages repeat the same polygons, so each text is read once.
    """

    def __init__(self, source: CapSource, zones: ZoneIndex) -> None:
        self._source, self._zones = source, zones
        self._known: dict[tuple[str, str], set[str]] = {}
        self.remarks: dict[str, None] = {}

    def of(self, info: Mapping[str, Any]) -> frozenset[str]:
        """Zone ids, empty when it is about other places; RefusedError: area, swapped, no_area."""
        found: set[str] = set()
        unknown: list[str] = []
        named = unclear = False
        for area in info.get("area", ()):
            shapes = [("polygon", text) for text in area["polygon"]] + [("circle", text) for text in area["circle"]]
            for kind, text in shapes:
                found |= self._shape(kind, text)
            named = named or bool(shapes) or bool(area["geocode"])
            codes, strange = self._codes(area["geocode"])
            found |= codes
            unknown += strange
            unclear = unclear or (bool(strange) and not codes and not shapes)
        if unclear and not found:  # it may mean us; where another area plainly does, that is acted on
            told = "only geocodes that the city has no table for: add them to [geocodes] of alert_sources.toml"
            raise RefusedError("area", told, "geocode", ", ".join(unknown))
        self.remarks |= dict.fromkeys(f"geocode {name} is unknown here" for name in unknown[:10])
        if named:
            return frozenset(found)
        if self._source.no_area == "city":
            return frozenset(self._zones.all)
        raise RefusedError("no_area", 'names no polygon, circle or geocode; the source has no_area = "refuse"', "area")

    def _shape(self, kind: str, text: str) -> set[str]:
        known = self._known.get((kind, text))
        if known is None:
            known = self._known[kind, text] = self._read(kind, text)
        return known

    def _read(self, kind: str, text: str) -> set[str]:
        try:
            shape = polygon(text) if kind == "polygon" else circle(text, self._source.max_radius_km)
        except BadAreaError as error:
            raise RefusedError("swapped" if error.swapped else "area", error.told, kind, error.value) from error
        touched = self._zones.touched(shape)
        if not touched and self._is_swapped(shape):
            told = "touches the city only with longitude before latitude: CAP writes latitude first"
            raise RefusedError("swapped", told, kind, text)
        return touched

    def _is_swapped(self, shape: BaseGeometry) -> bool:
        """It misses the city by far, and the other way round it would lie in it."""
        if shape.intersects(self._zones.box):
            return False
        other = swapped(shape)
        return other is not None and bool(other.intersects(self._zones.box))

    def _codes(self, geocodes: list[dict[str, str]]) -> tuple[set[str], list[str]]:
        """(zones, codes of schemes that the city has no table for)."""
        found: set[str] = set()
        unknown = []
        for code in geocodes:
            zones = self._zones.coded(code["valueName"], code["value"])
            if zones is not None:
                found |= zones
            elif not self._zones.knows(code["valueName"]):
                unknown.append(f"{code['valueName']}={code['value']}")
        return found, unknown
