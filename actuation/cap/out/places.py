"""Zones of the city as CAP areas: other systems know polygons and names, not our zone ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from city.geometry import features
from city.profile import City

GEOCODE = "zone_id"


class ZonePlaces:
    def __init__(self, city: City) -> None:
        self._zones = {zone.properties.zone_id: zone for zone in features(city, "zones")}

    def area(self, area: Mapping[str, Any], language: str) -> dict[str, Any]:
        """The area, with polygon and name of each zone that its geocodes `zone_id` name; others stay as they are."""
        named = [code["value"] for code in area.get("geocode", ()) if code["valueName"] == GEOCODE]
        zones = [self._zones[zone_id] for zone_id in named if zone_id in self._zones]
        if not zones:
            return dict(area)
        rings = [text for zone in zones for text in _rings(zone.geometry)]
        names = [zone.properties.name_ru if language.startswith("ru") else zone.properties.name_en for zone in zones]
        return {**area, "areaDesc": ", ".join(names), "polygon": [*area.get("polygon", ()), *rings]}


def _rings(geometry: Any) -> list[str]:
    """Outer rings as "latitude,longitude …"; CAP has no holes."""
    parts = getattr(geometry, "geoms", [geometry])
    return [" ".join(f"{y:.6f},{x:.6f}" for x, y in part.exterior.coords) for part in parts]
