"""Events and effects as JSON, and the ledger's lines that the reflex process writes of them.

A `seen` line holds the event and the engine's `now`: fed to the engine again in the ledger's order it gives the lines
that follow. A `created` line holds what is to be done; doing it later, again or after a crash needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from actuation.ledger import NewEntry
from actuation.reflex.bodies import Bodies
from actuation.scenario.effect import (
    Cause,
    CommandDevices,
    Effect,
    NotifyPeople,
    OpenTask,
    PublishCap,
    RaiseIncident,
    Target,
)
from actuation.scenario.event import Event
from actuation.scenario.messages import event_from_json, event_to_json
from actuation.wire.claims import CommandClaims
from ingest.contracts.ledger_entry import LedgerEntry

EFFECTS: dict[str, type[Effect]] = {
    "command": CommandDevices,
    "notify": NotifyPeople,
    "publish_cap": PublishCap,
    "incident": RaiseIncident,
    "task": OpenTask,
}
ACTION_OF = {kind: action for action, kind in EFFECTS.items()}
"""What a `created` line says in `action` when it is no command: notify, publish_cap, incident, task."""


def effect_json(effect: Effect) -> dict[str, Any]:
    """By hand, as dataclasses.asdict copies deeply: 250 us a command."""
    found: dict[str, Any] = {"do": ACTION_OF[type(effect)]}
    for name in effect.__slots__:
        value = getattr(effect, name)
        found[name] = _plain(value) if isinstance(value, (Cause, Target)) else value
    return found


def _plain(part: Cause | Target) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__slots__}


def effect_of(found: Mapping[str, Any]) -> Effect:
    """Back from JSON; raises KeyError or TypeError when it is none."""
    fields = {key: value for key, value in found.items() if key != "do"}
    fields["cause"] = Cause(**fields["cause"])
    kind = EFFECTS[found["do"]]
    if kind is CommandDevices:
        target = fields["target"]
        fields["target"] = Target(target["zone_id"], target["device_id"], tuple(target["kinds"]))
        if isinstance(fields["expires_at"], str):
            fields["expires_at"] = datetime.fromisoformat(fields["expires_at"])
    return kind(**fields)


def name_of(key: str) -> str:
    """An event's key as a ledger's `entity`: itself, or a digest where it is too long for an identifier."""
    return key if 0 < len(key) <= 128 and key.isprintable() else sha256(key.encode()).hexdigest()


def seen(event: Event, now: datetime, bodies: Bodies) -> NewEntry:
    detail = bodies.shorten(orjson.dumps({"event": event_to_json(event), "now": now.isoformat()}))
    return line(
        at=now,
        kind="seen",
        entity=name_of(event.key),
        mode="none",
        trigger_kind=event.kind,
        trigger_key=event.key[:512],
        by=_name(event.by),
        detail=detail,
    )


def seen_of(entry: LedgerEntry, bodies: Bodies) -> tuple[Event, datetime]:
    """The event and the engine's `now` of a `seen` line."""
    found = bodies.whole(entry.detail or "{}")
    return event_from_json(found["event"]), datetime.fromisoformat(found["now"])


def target_text(target: Target) -> str:
    return f"zone:{target.zone_id}" if target.zone_id is not None else f"device:{target.device_id}"


def created(effect: Effect, now: datetime, bodies: Bodies, more: Mapping[str, Any] | None = None) -> NewEntry:
    """Of any effect. A command's line has its claims in `more`, so that a restart signs the same bytes again."""
    is_command = isinstance(effect, CommandDevices)
    cause = effect.cause
    detail = bodies.shorten(orjson.dumps({"effect": effect_json(effect), **(more or {})}))
    return line(
        at=now,
        kind="created",
        entity=effect.effect_id,
        mode=effect.mode,
        command_id=effect.effect_id if is_command else None,
        target=target_text(effect.target) if isinstance(effect, CommandDevices) else None,
        action=effect.action if isinstance(effect, CommandDevices) else ACTION_OF[type(effect)],
        scenario=cause.scenario,
        version=cause.version,
        run_id=cause.run_id,
        trigger_kind=cause.event_kind,
        trigger_key=cause.event_key[:512],
        detail=detail,
    )


def created_of(entry: LedgerEntry, bodies: Bodies) -> tuple[Effect, dict[str, Any]]:
    """(the effect, the rest of the detail) of a `created` line."""
    found = bodies.whole(entry.detail or "{}")
    return effect_of(found["effect"]), found


def claims_of(effect: CommandDevices, city: str, seq: int, now: datetime) -> CommandClaims:
    """What is signed. nbf lies a minute back: a device's clock comes from a beacon that is up to five seconds old."""
    target = effect.target
    return CommandClaims.model_construct(
        cid=effect.effect_id,
        seq=seq,
        city=city,
        zone=target.zone_id,
        device=target.device_id,
        kinds=target.kinds or None if target.zone_id is not None else None,
        action=effect.action,
        mode="drill" if effect.mode == "drill" else "live",
        nbf=milliseconds(now) - 60_000,
        exp=milliseconds(effect.expires_at),
        text=effect.text[:500] if effect.text else None,
        level=effect.level,
    )


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)


def line(**fields: Any) -> NewEntry:
    """A line whose fields our own code made: not validated, and without model_construct's fourteen defaults."""
    return like(_BLANK, **fields)


def like(template: NewEntry, **changes: Any) -> NewEntry:
    """A line that differs from another in some fields (model_construct takes 8 us, this 2)."""
    entry = NewEntry.__new__(NewEntry)
    fields = {**template.__dict__, **changes}
    object.__setattr__(entry, "__dict__", fields)
    object.__setattr__(entry, "__pydantic_fields_set__", set(fields))
    object.__setattr__(entry, "__pydantic_extra__", None)
    object.__setattr__(entry, "__pydantic_private__", None)
    return entry


def _name(by: str | None) -> str | None:
    return by[:128] if by else None


_BLANK = NewEntry.model_construct(at=datetime(2000, 1, 1, tzinfo=UTC), kind="other", entity="-", mode="none")
