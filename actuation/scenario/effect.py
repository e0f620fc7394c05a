"""What comes out of the engine: things to do, each with an id that derives from its cause.

The same event, step and scenario version give the same id, so a redelivered event and a replayed day change nothing.
Effects hold JSON types, times and tuples only: they are written to the ledger as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from city.layers import Action

Mode = Literal["live", "drill", "shadow"]
"""live: acts. drill: devices answer "would do", nothing moves. shadow: only the ledger knows."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Which step of which version of which scenario, after which event. run_id: one activation of a scenario."""

    scenario: str
    version: str
    step: str
    run_id: str
    event_kind: str
    event_key: str


@dataclass(frozen=True, slots=True)
class Target:
    """One zone (then `kinds` says which devices in it) or one device."""

    zone_id: str | None = None
    device_id: str | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandDevices:
    """Sign it, ledger it, send it. expires_at: devices refuse it later, and what it held ends then by their policy."""

    effect_id: str
    cause: Cause
    mode: Mode
    target: Target
    action: Action
    expires_at: datetime
    text: str | None = None
    level: int | None = None
    """Brightness, percent, where the action has one."""


@dataclass(frozen=True, slots=True)
class NotifyPeople:
    """audience: a key of the city's notices.toml; template: name of a ru/en template; fields fill it."""

    effect_id: str
    cause: Cause
    mode: Mode
    audience: str
    template: str
    severity: Literal["critical", "major", "minor"]
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishCap:
    """Our own signed CAP alert onward. alert: fields of ingest.contracts.alert; identifier derives from effect_id."""

    effect_id: str
    cause: Cause
    mode: Mode
    alert: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RaiseIncident:
    """incident: fields of ingest.contracts.incident; status "open" opens it, "closed" closes it."""

    effect_id: str
    cause: Cause
    mode: Mode
    incident: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A request with executor and deadline. complaint: fields of ingest.contracts.complaint."""

    effect_id: str
    cause: Cause
    mode: Mode
    complaint: Mapping[str, Any]


Effect = CommandDevices | NotifyPeople | PublishCap | RaiseIncident | OpenTask


def effect_id(cause: Cause, *more: str) -> str:
    """32 hex digits of the cause and what else tells two effects of one step apart (zone, device, attempt)."""
    parts = (cause.scenario, cause.version, cause.step, cause.run_id, cause.event_kind, cause.event_key, *more)
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]
