"""Facts for `decide`, from the city state that the gateway keeps, and the town, from its folder."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from actuation.decide import Facts, Town
from actuation.reactions import load_devices, load_reactions
from city.geometry import features
from city.profile import load_city
from city.settings import Settings
from city_state.read import latest
from ingest.contracts import Contract
from ingest.contracts.alert import Alert
from ingest.contracts.camera_event import CameraEvent
from ingest.contracts.device_answer import DeviceAnswer
from ingest.contracts.device_command import DeviceCommand
from ingest.contracts.incident import Incident

REMEMBER = timedelta(days=1)
"""Older commands are history: their devices refused them long ago."""

M = TypeVar("M", bound=Contract)


def load_town(settings: Settings) -> Town:
    city = load_city(settings)
    zones = {site.properties.site_id: site.properties.zone_id for site in features(city, "sites")}
    return Town(city.code, load_reactions(city), load_devices(city), zones)


def read_facts(settings: Settings, now: datetime) -> Facts:
    """The newest message of each entity of the feeds that matter; alerts may last longer than a day."""
    recent = now - REMEMBER
    return Facts(
        alerts=_read(settings, Alert, now - timedelta(days=7)),
        camera_events=_read(settings, CameraEvent, recent),
        commands=_read(settings, DeviceCommand, recent),
        answers=_read(settings, DeviceAnswer, recent),
        incidents=_read(settings, Incident, recent),
    )


def _read(settings: Settings, contract: type[M], since: datetime) -> list[M]:
    payloads = latest(settings, contract.spec.code, since)["payload"]
    return [contract.model_validate_json(payload) for payload in payloads]
