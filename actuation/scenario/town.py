"""What the engine knows of the city: which devices stand where, its clock, its place, its services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from city.geometry import features
from city.layers import Device, Site
from city.profile import City, Service


@dataclass(frozen=True)
class Town:
    """zones: in order; acting: (zone, kind, action) there is a device of; at_site: site → its devices."""

    zones: tuple[str, ...]
    devices: Mapping[str, Device] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    timezone: tzinfo = UTC
    latitude: float = 0.0
    longitude: float = 0.0
    acting: frozenset[tuple[str, str, str]] = frozenset()
    at_site: Mapping[str, tuple[Device, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, zones: Iterable[str], devices: Iterable[Device], sites: Iterable[Site] = (), **more: object) -> Town:
        known = {device.device_id: device for device in devices}
        acting = {(device.zone_id, device.kind, action) for device in known.values() for action in device.actions}
        at_site: dict[str, list[Device]] = {}
        for device in known.values():
            if device.site_id:
                at_site.setdefault(device.site_id, []).append(device)
        return cls(
            zones=tuple(sorted(zones)),
            devices=known,
            sites={site.site_id: site for site in sites},
            acting=frozenset(acting),
            at_site={site: tuple(found) for site, found in at_site.items()},
            **more,  # type: ignore[arg-type]
        )


def load_town(city: City) -> Town:
    """The city's town; CityError where a layer is wrong."""
    return Town.of(
        [feature.properties.zone_id for feature in features(city, "zones")],
        [feature.properties for feature in features(city, "devices")],
        [feature.properties for feature in features(city, "sites")],
        services={service.code: service for service in city.services},
        timezone=city.timezone,
        latitude=city.centre.latitude,
        longitude=city.centre.longitude,
    )
