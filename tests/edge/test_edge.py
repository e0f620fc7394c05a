"""The controller at the edge: works while the platform's broker is down, survives a restart, hands over later."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from actuation.edge.controller import EdgeController
from actuation.ledger import Ledger, open_reader
from actuation.scenario.load import load_scenarios
from actuation.scenario.program import Program
from city.profile import load_city
from city.settings import ROOT, Settings
from ingest.broker.address import parse_address
from ingest.broker.client import build_client
from ingest.broker.mosquitto import find_mosquitto, mosquitto_command
from ingest.contracts import CONTRACTS
from ingest.decode import Decoder

NOON = datetime(2026, 11, 25, 9, tzinfo=UTC)


def seen(number: int, site: str = "crossing-01", distance_m: float = 1.5) -> dict[str, Any]:
    reading = {"distance_m": distance_m, "speed_m_s": 1.2, "direction": "toward"}
    return {"device": f"radar-{site}", "reading": reading, "n": number}


@pytest.fixture
def program() -> Program:
    whole = load_scenarios(load_city(Settings(city="gorodok")))
    return Program.of([whole.scenarios["smart_crossing"]], whole.town)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_lamps_follow_the_sensor_and_each_effect_is_in_the_journal(program, ledger, tmp_path) -> None:
    sent: list[dict[str, Any]] = []
    edge = EdgeController(program, ["crossing-01"], ledger, tmp_path, sent.append)
    edge.start(NOON)
    assert [one["action"] for one in sent] == ["light_off"], "a lamp that nobody knows of is put out first"
    assert edge.hear(seen(1), NOON)
    assert not edge.hear(seen(2, "crossing-02"), NOON)
    edge.pass_time(NOON + timedelta(seconds=5))
    assert [(one["device"], one["action"]) for one in sent[1:]] == [
        ("lamp-crossing-01", "light_on"), ("lamp-crossing-01", "light_off"),
    ]  # fmt: skip
    assert [line.kind for line in ledger.read()] == ["seen", "created", "seen", "created"]
    assert ledger.verify() is None


def test_a_restart_in_the_middle_still_puts_the_lamp_out(program, ledger, tmp_path) -> None:
    sent: list[dict[str, Any]] = []
    first = EdgeController(program, ["crossing-01"], ledger, tmp_path, sent.append)
    first.start(NOON)
    first.hear(seen(1), NOON)
    again = EdgeController(program, ["crossing-01"], ledger, tmp_path, sent.append)
    again.start(NOON + timedelta(minutes=1))
    assert [one["action"] for one in sent] == ["light_off", "light_on", "light_off"]
    (tmp_path / "state.json").write_text("spoilt")
    EdgeController(program, ["crossing-01"], ledger, tmp_path, sent.append).start(NOON)
    assert sent[-1]["action"] == "light_off"


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed (apt install mosquitto)")
def test_the_crossing_works_with_the_broker_down_and_hands_its_journal_over_later(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{port}")
    environment = os.environ | {"GORODOK_HOME": str(tmp_path), "GORODOK_MQTT_URL": settings.mqtt_url}
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.cli", "edge", "smart_crossing", "--site", "crossing-01"],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    commands: queue.Queue[dict[str, Any]] = queue.Queue()
    assert process.stdout is not None
    assert process.stdin is not None
    out, into = process.stdout, process.stdin
    threading.Thread(target=lambda: [commands.put(json.loads(line)) for line in out], daemon=True).start()
    path = tmp_path / "edge" / "smart_crossing" / "ledger.sqlite"
    try:
        assert commands.get(timeout=60)["action"] == "light_off"
        into.write(json.dumps(seen(1)) + "\n")
        into.flush()
        assert commands.get(timeout=5)["action"] == "light_on"
        assert commands.get(timeout=20)["action"] == "light_off"
        with open_reader(path) as reader:
            wanted = [line.model_dump(mode="json") for line in reader.read()]
            assert reader.verify() is None
        broker = subprocess.Popen(mosquitto_command(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            got = _listen(settings, lambda found: len(found) >= len(wanted))
        finally:
            broker.kill()
            broker.wait(10)
        into.close()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(10)
        into.close()
        out.close()
    unique = {line["seq"]: line for line in got}
    assert [unique[number + 1] for number in range(len(wanted))] == wanted


def _listen(settings: Settings, enough: Callable[[list[Any]], bool]) -> list[dict[str, Any]]:
    """What the platform would land: ledger lines, checked by their contract."""
    found: list[dict[str, Any]] = []
    decoder = Decoder(CONTRACTS["ledger_entry"])

    def take(_: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        decoded = decoder.decode(message.payload)
        assert decoded.rejects == []
        found.extend(line.model_dump(mode="json") for line in decoded.good)

    client = build_client(settings, "listener", mqtt.Client)
    client.on_connect = lambda client, *_: client.subscribe(f"gorodok/v1/{settings.city}/ledger_entry/+", qos=1)
    client.on_message = take
    address, end = parse_address(settings.mqtt_url), time.monotonic() + 40
    while time.monotonic() < end:
        try:
            client.connect(address.host, address.port)
            break
        except OSError:
            time.sleep(0.1)
    client.loop_start()
    while not enough(found) and time.monotonic() < end:
        time.sleep(0.1)
    client.disconnect()
    client.loop_stop()
    return found
