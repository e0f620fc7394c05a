"""Doors, lamps, sirens and displays: take commands, answer, and move nothing in a drill. Some are deaf.

An actuator takes no time here; a real door does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from pydantic import ValidationError

from city.geometry import features
from city.layers import Device
from city.profile import City
from ingest.contracts.device_answer import DeviceAnswer
from ingest.contracts.device_command import DeviceCommand
from simulator import chance
from simulator.options import Options
from simulator.truth import Truth

log = logging.getLogger(__name__)

Result = Literal["done", "would_do", "refused", "failed"]

AFTER = {
    "unlock": "open",
    "lock": "closed",
    "light_on": "on",
    "light_off": "off",
    "siren_on": "on",
    "siren_off": "off",
}


class Devices:
    """`take` may be called in the MQTT client's thread; `answer(topic, payload)` must not wait."""

    def __init__(self, city: City, options: Options, truth: Truth, answer: Callable[[str, bytes], None]) -> None:
        self._prefix = f"gorodok/v1/{city.code}"
        self._truth = truth
        self._answer = answer
        self._silent = "device_answer" in options.silent
        found = [device.properties for device in features(city, "devices") if device.properties.actions]
        self._devices: dict[str, Device] = {device.device_id: device for device in found}
        self._deaf = {
            device_id for device_id in self._devices if chance.share(options.seed, "deaf", device_id) < options.deaf
        }
        self._done: dict[tuple[str, str], DeviceAnswer] = {}
        self.state: dict[str, str] = {}
        """Device → what it does now: open, closed, on, off, or a display's text."""

    @property
    def topic(self) -> str:
        """What the devices subscribe to."""
        return f"{self._prefix}/device_command/+"

    @property
    def deaf(self) -> frozenset[str]:
        return frozenset(self._deaf)

    def take(self, topic: str, payload: bytes) -> None:
        """A command to one of our devices is answered; anything else is not ours."""
        device_id = topic.rsplit("/", 1)[-1]
        device = self._devices.get(device_id)
        if device is None:
            return
        try:
            command = DeviceCommand.model_validate_json(payload)
        except ValidationError as error:
            log.warning("%s: not a command: %s", topic, error.errors(include_url=False)[0]["msg"])
            self._truth.note("command", device_id=device_id, did="not understood")
            return
        if self._silent or device_id in self._deaf:
            self._note(command, "deaf")
            return
        answer = self._act(device, command)
        self._note(command, answer.result)
        text = answer.model_dump_json(exclude_none=True)
        self._answer(f"{self._prefix}/device_answer/{device_id}", text.encode())
        key = [device_id, command.command_id, command.attempt]
        self._truth.note("sent", feed="device_answer", topic=topic, fault=None, keys=[key])

    def _note(self, command: DeviceCommand, did: str) -> None:
        numbers = {"command_id": command.command_id, "attempt": command.attempt}
        self._truth.note("command", device_id=command.device_id, did=did, **numbers)

    def _act(self, device: Device, command: DeviceCommand) -> DeviceAnswer:
        """A repeated attempt gets the first answer again and nothing moves twice."""
        known = (command.command_id, f"{command.device_id}|{command.attempt}")
        if known not in self._done:
            result, reason = self._decide(device, command)
            if result == "done":
                self.state[device.device_id] = command.text or AFTER.get(command.action, command.action)
            self._done[known] = DeviceAnswer(
                command_id=command.command_id,
                attempt=command.attempt,
                device_id=device.device_id,
                answered_at=datetime.now(UTC),
                result=result,
                reason=reason,
            )
        return self._done[known]

    @staticmethod
    def _decide(device: Device, command: DeviceCommand) -> tuple[Result, str | None]:
        if command.device_id != device.device_id:
            return "refused", f"addressed to {command.device_id}"
        if command.expires_at <= datetime.now(UTC):
            return "refused", f"expired at {command.expires_at.isoformat()}"
        if command.action not in device.actions:
            return "refused", f"a {device.kind} cannot {command.action}"
        return ("would_do", "drill") if command.mode == "drill" else ("done", None)
