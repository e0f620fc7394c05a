"""Sensor messages in, lamp commands out, every effect a line of a ledger of its own; no network is needed."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from actuation.ledger import Ledger, NewEntry
from actuation.scenario.effect import CommandDevices, Effect, Target
from actuation.scenario.event import Event
from actuation.scenario.matching import device_of
from actuation.scenario.program import Program
from actuation.scenario.simulate import tick
from actuation.scenario.state import EngineState

log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], None]
OFF = {"lamp": "light_off", "siren": "siren_off"}
STATE = "state.json"


class EdgeController:
    """One thread calls it. What the sensors say is believed: they are wired to this controller, and no one else's."""

    def __init__(self, program: Program, sites: Sequence[str], ledger: Ledger, home: Path, send: Send) -> None:
        """sites: the crossings that hang on this controller; send: hands a command to a lamp."""
        self._program, self._ledger, self._send = program, ledger, send
        self._path = home / STATE
        town = program.town
        self._devices = {one.device_id: one for site in sites for one in town.at_site.get(site, ())}
        self._state = EngineState()

    def start(self, now: datetime) -> None:
        """Goes on where it was; without a state that fits, lamps and sirens are put out first."""
        known = self._read()
        if known is None:
            self._state = self._program.begin(now)
            for device in self._devices.values():
                if device.kind in OFF and OFF[device.kind] in device.actions:
                    self._send({"device": device.device_id, "action": OFF[device.kind], "id": None})
            return
        self._state = known
        self.pass_time(now)

    def next_due(self) -> datetime | None:
        return self._program.next_due(self._state)

    def hear(self, message: Mapping[str, Any], now: datetime) -> bool:
        """One message of a sensor or lamp, as ctl/sensed has it; False: it is of no device of ours."""
        device_id = device_of(message)
        if device_id not in self._devices:
            return False
        kind: Any = "answer" if "result" in message else "sensed" if "state" in message else "device_message"
        number = message.get("n", now.isoformat())
        self._step(Event(kind, f"{device_id}|{number}", now, dict(message), (), "trusted"), now)
        return True

    def pass_time(self, now: datetime) -> None:
        """Timers that are due by now."""
        self._step(tick(now), now)

    @property
    def is_calm(self) -> bool:
        """Nothing is on."""
        return not self._state.runs

    def _step(self, event: Event, now: datetime) -> None:
        self._state, effects = self._program.step(self._state, event, now)
        if not effects:
            return
        for command in (one for one in effects if isinstance(one, CommandDevices)):
            for device_id in self._targets(command.target):
                self._send(_told(command, device_id))
        try:
            self._ledger.append([_seen(event, now), *(_created(one, now) for one in effects)])
        except sqlite3.Error as error:  # light first: a full disk must not leave people in the dark
            log.warning("the journal is not written: %s", error)
        self._write()

    def _targets(self, target: Target) -> list[str]:
        if target.device_id:
            return [target.device_id] if target.device_id in self._devices else []
        return [
            one.device_id
            for one in self._devices.values()
            if one.zone_id == target.zone_id and one.kind in target.kinds
        ]

    def _read(self) -> EngineState | None:
        try:
            state = EngineState.from_json(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        return state if state.program == self._program.version else None

    def _write(self) -> None:
        """On a full disk it goes on in memory."""
        try:
            draft = self._path.with_suffix(".new")
            draft.write_text(self._state.to_json(), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            log.warning("the state is not kept: %s", error)


def _told(command: CommandDevices, device_id: str) -> dict[str, Any]:
    said = {
        "device": device_id,
        "action": command.action,
        "level": command.level,
        "text": command.text,
        "mode": command.mode,
        "until": command.expires_at.isoformat(),
        "id": command.effect_id,
    }
    return {name: value for name, value in said.items() if value is not None}


def _seen(event: Event, now: datetime) -> NewEntry:
    return NewEntry(
        at=now,
        kind="seen",
        entity=event.key[:128],
        mode="none",
        trigger_kind=event.kind,
        trigger_key=event.key[:512],
        device_id=device_of(event.body),
        detail=json.dumps(dict(event.body), ensure_ascii=False)[:10_000] if event.body else None,
    )


def _created(effect: Effect, now: datetime) -> NewEntry:
    cause = effect.cause
    device_id = zone_id = action = None
    if isinstance(effect, CommandDevices):
        device_id, zone_id, action = effect.target.device_id, effect.target.zone_id, effect.action
    target = f"device:{device_id}" if device_id else f"zone:{zone_id}" if zone_id else None
    return NewEntry(
        at=now,
        kind="created",
        entity=effect.effect_id,
        mode=effect.mode,
        command_id=effect.effect_id if action else None,
        target=target,
        action=action or type(effect).__name__,
        scenario=cause.scenario,
        version=cause.version,
        run_id=cause.run_id,
        trigger_kind=cause.event_kind,
        trigger_key=cause.event_key[:512],
    )
