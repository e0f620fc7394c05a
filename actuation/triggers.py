"""Which messages call for a reaction now: critical alerts in force and critical findings of cameras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from actuation.reactions import Reactions, Step
from ingest.contracts.alert import Alert, Info
from ingest.contracts.camera_event import CameraEvent

SEVERE = ("Extreme", "Severe")
URGENT = ("Immediate", "Expected")

MODES: dict[str, Literal["live", "drill"]] = {"Actual": "live", "Exercise": "drill", "Test": "drill", "Draft": "drill"}
"""CAP 1.2 <status>: only Actual moves anything; System is for the warning systems themselves and reaches no device."""

KEY_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event that calls for steps. text: for displays; site_id: where a camera saw it."""

    feed: str
    key: str
    mode: Literal["live", "drill"]
    steps: tuple[Step, ...]
    text: str | None = None
    site_id: str | None = None


def alert_triggers(alerts: Sequence[Alert], reactions: Reactions, now: datetime) -> Iterator[Trigger]:
    """Critical alerts in force: not over, not cancelled and not replaced by an update."""
    replaced = {
        reference for alert in alerts if alert.msgType in ("Update", "Cancel") for reference in _references(alert)
    }
    for alert in alerts:
        mode = MODES.get(alert.status)
        if mode is None or alert.msgType not in ("Alert", "Update") or (alert.sender, alert.identifier) in replaced:
            continue
        critical = [info for info in alert.info if _is_critical(info) and _in_force(alert, info, reactions, now)]
        categories = {category for info in critical for category in info.category}
        headline = next((info.headline or info.event for info in critical), None)
        for rule in reactions.alerts:
            if critical and (not rule.categories or categories & set(rule.categories)):
                key = trigger_key(alert.sender, alert.identifier, alert.sent.isoformat())
                yield Trigger("alert", key, mode, rule.do, headline)


def camera_triggers(events: Sequence[CameraEvent], reactions: Reactions, now: datetime) -> Iterator[Trigger]:
    """Fresh findings of the classes and scores that the rules name."""
    newest = timedelta(seconds=reactions.newest_s)
    for event in events:
        if not timedelta() <= now - event.event_time <= newest:
            continue
        for rule in reactions.camera_events:
            if event.class_name in rule.class_names and event.confidence >= rule.confidence:
                key = trigger_key(event.camera_id, event.event_id)
                yield Trigger("camera_event", key, rule.mode, rule.do, None, event.site_id)


def trigger_key(*fields: str) -> str:
    """The message's key, fields joined by |; a longer one than the contract allows ends in its digest."""
    joined = "|".join(fields)
    if len(joined) <= KEY_LENGTH:
        return joined
    return f"{joined[: KEY_LENGTH - 33]}|{sha256(joined.encode()).hexdigest()[:32]}"


def _is_critical(info: Info) -> bool:
    return info.severity in SEVERE and info.urgency in URGENT


def _in_force(alert: Alert, info: Info, reactions: Reactions, now: datetime) -> bool:
    """Until it expires; one that does not say when, for a short while. A replay of last year rings no siren."""
    end = info.expires or alert.sent + timedelta(seconds=reactions.newest_s)
    return now < end


def _references(alert: Alert) -> Iterator[tuple[str, str]]:
    """CAP 1.2 <references>: "sender,identifier,sent" separated by white space."""
    for reference in (alert.references or "").split():
        parts = reference.rsplit(",", 2)
        if len(parts) == 3:
            yield parts[0], parts[1]
