"""The rights: a device its own topics and nothing else, a service what it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from actuation.topics import control_topic
from city.layers import Device
from ingest.contracts import CONTRACTS
from ingest.topics import PREFIX

FEEDS = {"camera": ("camera_event",), "scada": ("scada_reading",)}
"""Kind of a device → feeds that it publishes, on a topic that ends with its own id."""


PULLED = ("ingest_outcome", "vehicle_position")
"""Feeds that `gorodok pull` publishes besides those whose origin is a service."""


@dataclass(frozen=True, slots=True)
class Right:
    access: Literal["read", "write", "readwrite"]
    topic: str


@dataclass(frozen=True, slots=True)
class User:
    """One login. is_device: its password is in its identity file."""

    name: str
    rights: tuple[Right, ...]
    is_device: bool = False


def users(city: str, devices: Iterable[Device]) -> list[User]:
    """Every login of the city. ValueError when a device is called like a service."""
    services = _services(city)
    names = {user.name for user in services}
    found = [_device(city, device) for device in devices]
    for user in found:
        if user.name in names:
            raise ValueError(f"device_id = {user.name!r}: a service is called so; give the device another name")
    return services + found


def _services(city: str) -> list[User]:
    """Only the reflex process commands devices and writes the ledger."""
    every_feed = Right("read", f"{PREFIX}/{city}/+/+")
    own = _feeds(city, "platform", "service")
    pulled = [*_feeds(city, "service"), *(Right("write", f"{PREFIX}/{city}/{feed}/+") for feed in PULLED)]
    return [
        User("gateway", (every_feed,)),
        User("reflex", (Right("readwrite", f"{PREFIX}/{city}/ctl/#"), every_feed, *own)),
        User("pull", (*pulled, Right("write", control_topic(city, "cap", "+")))),
        User("orchestration", tuple(right for right in own if "/ledger_entry/" not in right.topic)),
        User("pages", (every_feed, Right("read", control_topic(city, "sensed", "+")))),
    ]


def _device(city: str, device: Device) -> User:
    me = device.device_id
    rights = [Right("write", f"{PREFIX}/{city}/{feed}/{me}") for feed in FEEDS.get(device.kind, ())]
    if device.actions:
        rights += [
            Right("write", control_topic(city, "answer", me)),
            Right("write", control_topic(city, "sensed", me)),
            Right("read", control_topic(city, "command", me)),
            Right("read", control_topic(city, "zone", device.zone_id)),
            Right("read", control_topic(city, "clock", "beacon")),
            Right("read", control_topic(city, "keys", "all")),
        ]
    return User(me, tuple(rights), is_device=True)


def _feeds(city: str, *origins: str) -> tuple[Right, ...]:
    """Feeds that no device publishes."""
    codes = sorted(code for code, contract in CONTRACTS.items() if contract.spec.origin in origins)
    return tuple(Right("write", f"{PREFIX}/{city}/{code}/+") for code in codes)
