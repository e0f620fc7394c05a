"""Real brokers on free ports: `mosquitto` with the shipped conf, `embedded` as `python -m ingest.broker`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from city.settings import ROOT, Settings
from ingest.broker.mosquitto import find_mosquitto, mosquitto_command


def free_pair() -> int:
    """A port that is free together with the one after it."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError("no two free ports in a row")


def wait_until_accepting(port: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@dataclass
class RunningBroker:
    name: str
    settings: Settings
    command: list[str]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def log(self) -> Path:
        return self.settings.home / f"{self.name}.log"

    def start(self) -> None:
        env = os.environ | {"GORODOK_HOME": str(self.settings.home), "GORODOK_MQTT_URL": self.settings.mqtt_url}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=env, cwd=ROOT, stdout=log, stderr=log)
        wait_until_accepting(int(self.settings.mqtt_url.rpartition(":")[2]))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def _mosquitto(home: Path) -> RunningBroker:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    settings = Settings(home=home, mqtt_url=f"mqtt://127.0.0.1:{free_pair()}")
    return RunningBroker("mosquitto", settings, mosquitto_command(settings))


def _embedded(home: Path) -> RunningBroker:
    settings = Settings(home=home, mqtt_url=f"mqtt://127.0.0.1:{free_pair()}")
    return RunningBroker("embedded", settings, [sys.executable, "-m", "ingest.broker"])


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    yield from _running(_mosquitto(tmp_path))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[RunningBroker]:
    yield from _running(_embedded(tmp_path))


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    yield from _running({"mosquitto": _mosquitto, "embedded": _embedded}[request.param](tmp_path))


def _running(broker: RunningBroker) -> Iterator[RunningBroker]:
    broker.start()
    yield broker
    if broker.process.poll() is None:
        broker.kill()
