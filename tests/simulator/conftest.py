"""A mosquitto of the test's own, a listener that sees everything, and the simulator as a process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from city.settings import ROOT, Settings

CONF = "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], timeout_s: float = 60) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Mosquitto:
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        if binary is None:
            pytest.skip("mosquitto is not installed")
        conf = self.folder / "mosquitto.conf"
        conf.write_text(CONF.format(port=self.port))
        self.process = subprocess.Popen([binary, "-c", conf], stderr=subprocess.DEVNULL)
        wait_for(lambda: answers(self.port), 10)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


class Listener:
    """A plain paho subscriber: what it got is in `messages` as (topic, payload)."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.subscribed = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("gorodok/v1/#", qos=1)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda _, __, message: self.messages.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(10)

    def quiet(self) -> None:
        """Waits until nothing has come for a second."""
        before = -1
        while before != len(self.messages):
            before = len(self.messages)
            time.sleep(1)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listen() -> Iterator[Callable[[int], Listener]]:
    made: list[Listener] = []

    def start(port: int) -> Listener:
        made.append(Listener(port))
        return made[-1]

    yield start
    for listener in made:
        listener.stop()


@pytest.fixture
def simulator_process(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    made: list[subprocess.Popen[bytes]] = []

    def start(**options: Any) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "GORODOK_HOME": str(tmp_path / "home"),
            "GORODOK_MQTT_URL": f"mqtt://127.0.0.1:{mosquitto.port}",
            "GORODOK_SIMULATOR_PORT": str(options.pop("port", None) or free_port()),
            **{f"GORODOK_SIMULATOR_{name.upper()}": json.dumps(value) for name, value in options.items()},
        }
        with (tmp_path / "simulator.log").open("ab") as log:
            made.append(subprocess.Popen([sys.executable, "-m", "simulator"], cwd=ROOT, env=environment, stderr=log))
        return made[-1]

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """The settings whose home the simulator's process uses."""
    return Settings(home=tmp_path / "home")
