"""A real mosquitto, a real gateway, and a device on paho that can be deaf."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from city.settings import ROOT, Settings
from ingest.broker.address import parse_address
from ingest.broker.client import build_client
from ingest.broker.mosquitto import find_mosquitto, mosquitto_command


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer; AssertionError when none comes in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:g} s in vain for {what}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{free_port()}", gateway_port=free_port(), seal_s=2)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    ours = {
        "GORODOK_HOME": str(settings.home),
        "GORODOK_MQTT_URL": settings.mqtt_url,
        "GORODOK_GATEWAY_PORT": str(settings.gateway_port),
        "GORODOK_SEAL_S": "2",
    }
    return os.environ | ours


@pytest.fixture
def broker(settings: Settings) -> Iterator[None]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    port = parse_address(settings.mqtt_url).port
    with _running(mosquitto_command(settings), settings.home / "mosquitto.log", dict(os.environ)):
        wait_for(lambda: _accepts(port))
        yield


@pytest.fixture
def gateway(settings: Settings, environment: dict[str, str], broker: None) -> Iterator[None]:
    health = f"http://127.0.0.1:{settings.gateway_port}/health"
    with _running([sys.executable, "-m", "apps.cli", "gateway"], settings.home / "gateway.log", environment):
        wait_for(lambda: _ok(health), 60)
        yield


class _running:  # noqa: N801 - a context manager that reads like a function
    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._command, self._log, self._environment = command, log, environment

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._environment, stdout=sink, stderr=sink)
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)


def _accepts(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ok(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(json.load(answer)["ok"])
    except OSError:
        return False


class Device:
    """A controller as a vendor would write it: answers a command on its own topic, each attempt once."""

    def __init__(self, settings: Settings, device_id: str, deaf_for: int = 0) -> None:
        """deaf_for: ignores so many commands before it answers."""
        self._answers_to = f"gorodok/v1/{settings.city}/device_answer/{device_id}"
        self._commands = f"gorodok/v1/{settings.city}/device_command/{device_id}"
        self._id, self._deaf_for = device_id, deaf_for
        self.got: list[dict[str, Any]] = []
        self._subscribed = False
        self._client = build_client(settings, f"device-{device_id}", mqtt.Client)
        self._client.on_connect = lambda client, *_: client.subscribe(self._commands, qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        address = parse_address(settings.mqtt_url)
        self._client.connect(address.host, address.port)
        self._client.loop_start()
        wait_for(lambda: self._subscribed)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed = True

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        command = json.loads(message.payload)
        self.got.append(command)
        if len(self.got) <= self._deaf_for:
            return
        answer = {
            "command_id": command["command_id"],
            "attempt": command["attempt"],
            "device_id": self._id,
            "answered_at": datetime.now(UTC).isoformat(),
            "result": "would_do" if command["mode"] == "drill" else "done",
        }
        client.publish(self._answers_to, json.dumps(answer), qos=1)


@pytest.fixture
def devices(settings: Settings, gateway: None) -> Iterator[Callable[..., Device]]:
    """Makes devices that are stopped at the end."""
    made: list[Device] = []

    def make(device_id: str, deaf_for: int = 0) -> Device:
        made.append(Device(settings, device_id, deaf_for))
        return made[-1]

    yield make
    for device in made:
        device.stop()
