"""docs/devices.md is run: what a device maker copies reaches the contract through a real broker."""

from __future__ import annotations

import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from city.settings import ROOT
from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.topics import feed_of

PORT_OF_THE_PAGE = "1893"

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(not shutil.which("mosquitto") or not shutil.which("mosquitto_pub"), reason="needs mosquitto"),
]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = str(free.getsockname()[1])
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\n", "utf-8")
    broker = subprocess.Popen([str(shutil.which("mosquitto")), "-c", str(conf)])
    try:
        _wait(int(number))
        yield number
    finally:
        broker.terminate()
        broker.wait(10)


def _wait(number: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("mosquitto did not start")


def _example(language: str, needle: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "devices.md").read_text("utf-8"), re.M | re.S)
    (found,) = [block for block in blocks if needle in block]
    assert PORT_OF_THE_PAGE in found
    return str(found)


@pytest.mark.parametrize(("language", "needle"), [("sh", "mosquitto_pub"), ("python", "paho")])
def test_the_first_message_is_accepted(language: str, needle: str, port: str) -> None:
    block = _example(language, needle).replace(PORT_OF_THE_PAGE, port)
    heard: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    subscribed = threading.Event()
    listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    listener.on_connect = lambda client, *_: client.subscribe("gorodok/v1/+/+/+", qos=1)
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.on_message = lambda client, userdata, message: heard.put(message)
    listener.connect("127.0.0.1", int(port))
    listener.loop_start()
    try:
        assert subscribed.wait(10)
        command = ["bash", "-euc", block] if language == "sh" else [sys.executable, "-c", block]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        message = heard.get(timeout=10)
    finally:
        listener.disconnect()
        listener.loop_stop()
    decoded = Decoder(CONTRACTS[feed_of(message.topic)]).decode(message.payload)
    assert decoded.rejects == []
    assert decoded.good[0].volume_m3 == 412.873
