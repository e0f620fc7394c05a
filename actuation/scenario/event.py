"""What goes into the engine: something that happened, named for ever by its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

EventKind = Literal[
    "alert",  # a CAP alert that was parsed (and verified: see `trust`); body: the fields of ingest.contracts.alert
    "camera_event",  # body: ingest.contracts.camera_event
    "device_message",  # a device said something of its own: radar distance, button on a post; body: its JSON
    "sensed",  # what a device's own sensor says of its state; body: device_id, state, at
    "answer",  # a verified answer to a command; body: command_id, device_id, result, reason, state
    "state",  # a city-state value; body: feed, entity and the message's fields
    "incident",  # body: ingest.contracts.incident
    "check_failed",  # a Dagster asset check failed; body: asset, check
    "feed_silent",  # body: feed, silent_s
    "button",  # a person pressed: start, confirm, all_clear, drill, stop; body: scenario, press, zones
    "schedule",  # a time of the scenario's own has come; body: scenario
    "tick",  # nothing but time has passed: a timer may be due
]

Trust = Literal["verified", "trusted", "none"]
"""verified: signature checked against the certificates pinned for the source. trusted: the city lets this source act
without a signature. none: may inform people, never acts live."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    key: names it for ever; the same key again is the same event and acts once (an alert: sender,identifier,sent).
    at: when it happened, UTC, by the source's clock. The engine's `now` is another argument.
    body: JSON types only, so that the event can be journalled and replayed.
    zones: zones of the city that it is about (an alert's areas, matched; the zone of a camera's site).
    by: the person, where a person did it.
    """

    kind: EventKind
    key: str
    at: datetime
    body: Mapping[str, Any] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    trust: Trust = "none"
    by: str | None = None
