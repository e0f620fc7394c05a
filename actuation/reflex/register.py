"""The city's devices as commands see them: who is meant by a zone and its kinds, where a device is, whom to call."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from actuation.scenario.effect import Target
from city.contacts import load_contacts
from city.geometry import features
from city.layers import Device
from city.profile import City


@dataclass(frozen=True, slots=True)
class Place:
    """A device of the register. address: of the building that its site belongs to. contact: of that house."""

    device_id: str
    kind: str
    zone_id: str
    name_ru: str
    name_en: str
    site_id: str | None
    address: str | None
    contact: str | None
    latitude: float
    longitude: float
    actions: tuple[str, ...] = ()


class Register:
    """Devices that act, by id and by zone. Anything in it is fixed at the start: a changed layer needs a restart."""

    def __init__(self, places: dict[str, Place], zones: frozenset[str] = frozenset()) -> None:
        self.places = places
        self.zones = zones | {place.zone_id for place in places.values()}
        self._by_zone: dict[str, list[Place]] = defaultdict(list)
        for place in places.values():
            self._by_zone[place.zone_id].append(place)
        self._known: dict[tuple[Any, ...], frozenset[str]] = {}

    def expected(self, target: Target, action: str) -> frozenset[str]:
        """Ids of the devices that must answer: those of the target that know the action."""
        key = (target.zone_id, target.device_id, target.kinds, action)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._expected(target, action)
        return found

    def _expected(self, target: Target, action: str) -> frozenset[str]:
        if target.device_id is not None:
            return frozenset([target.device_id]) & self.places.keys()
        return frozenset(
            place.device_id
            for place in self._by_zone.get(target.zone_id or "", ())
            if action in place.actions and (not target.kinds or place.kind in target.kinds)
        )

    def moves_doors(self, target: Target) -> bool:
        """Whether a door is among the target's devices."""
        if target.device_id is not None:
            place = self.places.get(target.device_id)
            return place is not None and place.kind == "door"
        return not target.kinds or "door" in target.kinds


def load_register(city: City) -> Register:
    """From the layers devices, sites, buildings and zones of the city's folder, and its contacts.toml."""
    buildings = {each.properties.building_id: each.properties for each in features(city, "buildings")}
    sites = {each.properties.site_id: each.properties for each in features(city, "sites")}
    zones = frozenset(each.properties.zone_id for each in features(city, "zones"))
    contacts = load_contacts(city.folder)
    places = {}
    for each in features(city, "devices"):
        device: Device = each.properties
        site = sites.get(device.site_id) if device.site_id else None
        building = buildings.get(site.building_id) if site is not None and site.building_id else None
        contact = contacts.of(device_id=device.device_id, building_id=building.building_id if building else None)
        address = building.address if building is not None else (site.name_ru if site is not None else None)
        places[device.device_id] = Place(
            device.device_id,
            device.kind,
            device.zone_id,
            device.name_ru,
            device.name_en,
            device.site_id,
            address,
            str(contact) if contact is not None else None,
            each.latitude,
            each.longitude,
            tuple(device.actions),
        )
    return Register(places, zones)
