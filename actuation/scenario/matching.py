"""Does a trigger mean this event? And what is the event about (its subject, place and words)?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from actuation.scenario import alerts
from actuation.scenario.condition import Surroundings, holds
from actuation.scenario.effect import Mode
from actuation.scenario.event import Event
from actuation.scenario.town import Town
from actuation.scenario.trigger import (
    AlertTrigger,
    AnswerTrigger,
    ButtonTrigger,
    CameraTrigger,
    CheckTrigger,
    DeviceTrigger,
    IncidentTrigger,
    ScheduleTrigger,
    SensedTrigger,
    SilentTrigger,
    StateTrigger,
    Trigger,
)

RANK: Mapping[Mode, int] = {"shadow": 0, "drill": 1, "live": 2}
NEWEST_S = 3_600.0
"""Events of kinds that do not say otherwise: an older one does nothing."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about. entity: names it for one run at a time."""

    entity: str
    zones: tuple[str, ...] = ()
    site_id: str | None = None
    device_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    expires: datetime | None = None
    restricted: bool = False


def ceiling(event: Event) -> Mode:
    """The most that an event may do: nobody vouches for it: shadow; not Actual, or a drill's button: drill."""
    if event.trust == "none":
        return "shadow"
    if event.kind == "alert":
        return "live" if event.body.get("status") == "Actual" else "drill"
    if event.kind == "button" and event.body.get("press") == "drill":
        return "drill"
    return "live"


def least(*modes: Mode) -> Mode:
    return min(modes, key=RANK.__getitem__)


def word_of(body: Mapping[str, Any], name: str) -> str | None:
    """A field as text; None where it is missing. Whatever a message holds, the engine does not stumble over it."""
    found = body.get(name)
    return None if found is None else found if isinstance(found, str) else str(found)


def device_of(body: Mapping[str, Any]) -> str | None:
    found = body.get("device_id") or body.get("device")
    return str(found) if found else None


def subject_of(trigger: Trigger, event: Event, town: Town, now: datetime) -> Subject | None:
    """The event's subject where the trigger means it (its conditions apart); None otherwise."""
    found = _MATCH[type(trigger)](trigger, event, town, now)
    if found is None:
        return None
    zones = tuple(sorted(zone for zone in found.zones if not trigger.zones or zone in trigger.zones))
    if found.zones and not zones:
        return None
    return Subject(
        found.entity, zones or trigger.zones, found.site_id, found.device_id, found.fields, found.expires,
        found.restricted,
    )  # fmt: skip


def surroundings(body: Mapping[str, Any], now: datetime, values: Mapping[str, Any], town: Town) -> Surroundings:
    return Surroundings(body, now, values, town.timezone, town.latitude, town.longitude)


def all_hold(conditions: Any, seen: Surroundings) -> bool:
    return all(holds(condition, seen) for condition in conditions)


def _is_old(event: Event, now: datetime, newest_s: float) -> bool:
    return (now - event.at).total_seconds() > newest_s


def _alert(trigger: AlertTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    if event.body.get("msgType") not in ("Alert", "Update") or not event.zones:
        return None
    found = alerts.match(trigger, event.body)
    if found is None or (found.expires is not None and found.expires <= now):
        return None
    restricted = event.body.get("scope") != "Public"
    entity = f"alert:{alerts.key_of(event.body)}"
    return Subject(entity, tuple(event.zones), fields=found.fields, expires=found.expires, restricted=restricted)


def _camera(trigger: CameraTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    body = event.body
    if word_of(body, "class_name") not in trigger.class_names or _is_old(event, now, trigger.newest_s):
        return None
    if not isinstance(body.get("confidence"), int | float) or body["confidence"] < trigger.confidence:
        return None
    site_id = word_of(body, "site_id")
    fields = {"camera_id": body.get("camera_id"), "class_name": body["class_name"], "confidence": body["confidence"]}
    return Subject(f"site:{site_id}", _zones(event, town, site_id, None), site_id, None, fields)


def _device(
    trigger: DeviceTrigger | SensedTrigger | AnswerTrigger, event: Event, town: Town, now: datetime
) -> Subject | None:
    device_id = device_of(event.body)
    device = town.devices.get(device_id or "")
    if device is None or device.kind not in trigger.kinds or _is_old(event, now, trigger.newest_s):
        return None
    if isinstance(trigger, SensedTrigger) and str(event.body.get("state")) not in trigger.states:
        return None
    if isinstance(trigger, AnswerTrigger) and event.body.get("result") not in trigger.results:
        return None
    fields = {"device_id": device.device_id, "device_ru": device.name_ru, "device_en": device.name_en}
    if isinstance(trigger, SensedTrigger | AnswerTrigger):
        fields |= {name: event.body[name] for name in ("state", "result", "reason") if event.body.get(name) is not None}
    zones = event.zones or (device.zone_id,)
    return Subject(f"device:{device.device_id}", tuple(zones), device.site_id, device.device_id, fields)


def _state(trigger: StateTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    feed, entity = event.body.get("feed"), str(event.body.get("entity"))
    if feed != trigger.feed or (trigger.entities and entity not in trigger.entities):
        return None
    device = town.devices.get(entity)
    site_id = (device.site_id if device else None) or word_of(event.body, "site_id")
    return Subject(
        f"state:{feed}/{entity}", _zones(event, town, site_id, entity), site_id, None, {"feed": feed, "entity": entity}
    )


def _incident(trigger: IncidentTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    body = event.body
    if body.get("status") != trigger.status or (trigger.kinds and body.get("kind") not in trigger.kinds):
        return None
    if (trigger.severities and body.get("severity") not in trigger.severities) or _is_old(event, now, NEWEST_S):
        return None
    fields = {name: body[name] for name in ("incident_id", "kind", "subject", "title", "detail") if body.get(name)}
    silent = body.get("kind") == "feed_silent"  # the same subject as a feed_silent event, so that one ends the other
    entity = f"feed:{body.get('subject')}" if silent else f"incident:{body.get('incident_id')}"
    return Subject(entity, _zones(event, town, None, str(body.get("subject"))), fields=fields)


def _check(trigger: CheckTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    asset, check = event.body.get("asset"), event.body.get("check")
    if (trigger.assets and asset not in trigger.assets) or (trigger.checks and check not in trigger.checks):
        return None
    if _is_old(event, now, NEWEST_S):
        return None
    return Subject(f"check:{asset}/{check}", tuple(event.zones), fields={"asset": asset, "check": check})


def _silent(trigger: SilentTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    feed, silent_s = word_of(event.body, "feed"), event.body.get("silent_s")
    silent_s = silent_s if isinstance(silent_s, int | float) else 0
    if (trigger.feeds and feed not in trigger.feeds) or silent_s < trigger.silent_s or _is_old(event, now, NEWEST_S):
        return None
    return Subject(f"feed:{feed}", tuple(event.zones), fields={"feed": feed, "silent_s": silent_s})


def _schedule(trigger: ScheduleTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    if _is_old(event, now, NEWEST_S):
        return None
    return Subject(f"schedule:{event.key}", tuple(event.zones) or town.zones)


def _button(trigger: ButtonTrigger, event: Event, town: Town, now: datetime) -> Subject | None:
    if event.body.get("press") not in ("start", "drill", "all_clear") or _is_old(event, now, NEWEST_S):
        return None
    fields = {"by": event.by, "note": event.body.get("note")}
    return Subject(f"button:{event.key}", pressed_zones(event) or trigger.zones or town.zones, fields=fields)


def pressed_zones(event: Event) -> tuple[str, ...]:
    return tuple(event.zones) or tuple(str(zone) for zone in event.body.get("zones") or ())


def _zones(event: Event, town: Town, site_id: str | None, device_id: str | None) -> tuple[str, ...]:
    """Of the event; else of its site; else of its device, or of the zone that it names."""
    if event.zones:
        return tuple(event.zones)
    if site_id and site_id in town.sites:
        return (town.sites[site_id].zone_id,)
    if device_id and device_id in town.devices:
        return (town.devices[device_id].zone_id,)
    return (device_id,) if device_id in town.zones else ()


_MATCH: dict[type, Any] = {
    AlertTrigger: _alert,
    CameraTrigger: _camera,
    DeviceTrigger: _device,
    SensedTrigger: _device,
    AnswerTrigger: _device,
    StateTrigger: _state,
    IncidentTrigger: _incident,
    CheckTrigger: _check,
    SilentTrigger: _silent,
    ScheduleTrigger: _schedule,
    ButtonTrigger: _button,
}
