"""Attacks on the whole chain, each by its name: no unlock, a line in the log and a quarantine row, service alive."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from actuation.keys import KeyRing
from actuation.ledger import read_ledger
from actuation.topics import control_topic
from actuation.wire import jws
from actuation.wire.claims import CommandClaims
from bench.lib.reflexes import Chain, Fleet, until
from ingest.broker.mosquitto import find_mosquitto
from simulator.speak.cap_sign import CapSigner

pytestmark = [pytest.mark.broker, pytest.mark.slow]

BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (66 + n, *([65 + n] * 8)) if n else b'<!ENTITY A "&a;&a;">'
    for n in range(12)
)
BOMB += b"]><alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'><identifier>&L;</identifier></alert>"
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'><identifier>&x;</identifier></alert>"
)
NESTED = b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</alert>"


@dataclass
class Siege:
    """A running chain, everything that its broker carried, and hands to attack it with."""

    town: Chain
    fleet: Fleet
    client: mqtt.Client
    rows: list[dict[str, Any]] = field(default_factory=list)
    commands: list[tuple[str, bytes]] = field(default_factory=list)

    def send(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(10)

    def cap(self, data: bytes, source: str = "cap") -> None:
        self.send(control_topic("gorodok", "cap", source), data)

    def row(self, reason: str) -> dict[str, Any]:
        """The quarantine row of an attack that was sent just now."""
        found = until(lambda: next((row for row in self.rows if reason in row["reason"]), None), 15)
        assert isinstance(found, dict)
        return found

    def log_lines(self, words: str) -> int:
        return (self.town.folder / "reflex.log").read_text(errors="replace").count(words)

    def nothing_opened(self) -> None:
        """Nothing moved, and the service still acts on a real drill at once."""
        assert {(each["state"], each["moves"]) for each in self.fleet.truth()} == {("locked", 0)}
        began = time.monotonic()
        with self.town.client() as client:
            assert client.health()["ok"]
            verdict = client.send_cap("cap", self.town.signed("za", status="Exercise"))
            assert verdict["result"] == "accepted", verdict
        assert time.monotonic() - began < 10


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    folder: Path = tmp_path_factory.mktemp("siege")
    with Chain(folder, {"za": 20, "zb": 10}) as town:
        town.start_broker()
        town.start_reflex()
        fleet = town.start_fleet()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "siege")
        found = Siege(town, fleet, client)
        client.on_message = lambda _, __, message: _heard(found, message)
        client.connect("127.0.0.1", town.port)
        client.subscribe([("gorodok/v1/gorodok/quarantine/+", 1), ("gorodok/v1/gorodok/ctl/zone/+", 1)])
        client.loop_start()
        yield found
        client.disconnect()
        client.loop_stop()


def _heard(found: Siege, message: mqtt.MQTTMessage) -> None:
    if "/quarantine/" in message.topic:
        found.rows.append(json.loads(message.payload))
    else:
        found.commands.append((message.topic, bytes(message.payload)))


@pytest.fixture(autouse=True)
def fresh(siege: Siege) -> None:
    siege.rows.clear()


def test_forged_signature(siege):
    """The digest is right for a changed text, and the signature value is of the old one."""
    data = siege.town.signed("za", status="Exercise")
    forged = data.replace(b">Exercise<", b">Actual<")
    assert forged != data
    siege.cap(forged)
    row = siege.row("signature")
    assert base64.urlsafe_b64decode(row["payload"]) == forged
    siege.nothing_opened()


def test_self_signed_by_a_stranger(siege, tmp_path):
    """The reference validator accepts anybody's certificate: we accept the pinned one."""
    siege.cap(CapSigner(tmp_path).sign(siege.town.alert("za")))
    siege.row("stranger")
    siege.nothing_opened()


def test_one_byte_changed(siege):
    data = bytearray(siege.town.signed("za"))
    at = data.index("Ракетная".encode()) + 1
    data[at] ^= 1
    siege.cap(bytes(data))
    until(lambda: len(siege.rows) == 1, 15)
    siege.nothing_opened()


def test_replay_of_an_old_alert(siege):
    siege.cap(siege.town.signed("za", sent_s=time.time() - 3 * 86_400))
    siege.row("too_old")
    siege.nothing_opened()


def test_expired(siege):
    siege.cap(siege.town.signed("za", sent_s=time.time() - 3_000, expires_s=600))
    siege.row("expired")
    siege.nothing_opened()


def test_wrong_zone(siege):
    """Signed, and about another town."""
    away = siege.town.alert("za").replace(b"57.58", b"55.58")
    siege.cap(siege.town.signer.sign(away))
    until(lambda: len(siege.rows) == 1, 15)
    siege.nothing_opened()


@pytest.mark.parametrize("status", ["Test", "Draft", "Exercise"])
def test_test_alert_as_live(siege, status):
    siege.cap(siege.town.signed("za", status=status))
    time.sleep(0.5)
    siege.nothing_opened()


@pytest.mark.parametrize(
    ("attack", "reason"), [(BOMB, "xml"), (EXTERNAL, "xml"), (NESTED, "xml"), (b"\x00\xff not xml", "xml")],
    ids=["entity bomb", "external entity", "ten thousand nested elements", "no xml"],
)  # fmt: skip
def test_xml_that_is_an_attack(siege, attack, reason):
    before = siege.log_lines("refused alert")
    siege.cap(attack)
    row = siege.row(reason)
    assert "root:" not in row["reason"], "nothing of /etc/passwd"
    until(lambda: siege.log_lines("refused alert") == before + 1)
    siege.nothing_opened()


def test_fifty_megabytes_of_xml(siege):
    """By the API: refused before it is read; the broker's limit does the same for MQTT."""
    address = f"http://127.0.0.1:{siege.town.settings.reflex_port}/cap/cap"
    headers = {"Authorization": f"Bearer {siege.town.ring.api_token}"}
    answer = httpx.post(address, headers=headers, content=b"<alert>" + b"x" * 50_000_000, timeout=30)
    assert answer.status_code == 413
    siege.row("too large")
    siege.nothing_opened()


def test_a_source_that_nobody_knows(siege):
    siege.cap(siege.town.signed("za"), source="nobody")
    assert siege.row("no source is called")["feed"] == "alert"
    siege.nothing_opened()


def test_flood_of_a_thousand_alerts(siege, tmp_path):
    """A thousand forged alerts of one source; the real one of another channel is acted on while they wait."""
    stranger = CapSigner(tmp_path)
    forged = stranger.sign(siege.town.alert("za", identifier="flood-00000"))
    for number in range(1_000):
        name = b"flood-%05d" % number
        siege.client.publish(control_topic("gorodok", "cap", "cap"), forged.replace(b"flood-00000", name), qos=1)
    siege.nothing_opened()
    until(lambda: len({row["quarantine_id"] for row in siege.rows}) == 1_000, 90)
    assert len(siege.rows) == 1_000, "one row each"
    siege.nothing_opened()


def test_forged_answers_and_sensor_messages_count_nothing(siege):
    verdict_id = "0" * 32
    body = json.dumps(
        {"device": "door-za-00001", "cid": verdict_id, "seq": 1, "result": "done", "state": "open", "n": 9}
    )
    for what in ("answer", "sensed"):
        siege.send(control_topic("gorodok", what, "door-za-00001"), body.encode() + b".AAAA")  # type: ignore[arg-type]
        siege.send(control_topic("gorodok", what, "no-such-door"), body.encode())  # type: ignore[arg-type]
    until(lambda: len(siege.rows) == 4, 15)
    lines = [line for line in read_ledger(siege.town.settings.ledger_path) if line.command_id == verdict_id]
    assert not lines
    siege.nothing_opened()


def test_commands_that_a_stranger_signs_replays_or_turns_around(siege):
    """Straight at the doors: unsigned, a stranger's key, expired, another zone's, a drill's live twin."""
    now = int(time.time() * 1_000)
    claims = {"cid": "a" * 32, "seq": 2**52, "city": "gorodok", "zone": "za", "kinds": ("door",), "action": "unlock",
              "mode": "live", "nbf": now - 1_000, "exp": now + 600_000}  # fmt: skip
    ring: KeyRing = siege.town.ring
    stranger = Ed25519PrivateKey.generate()
    zone = control_topic("gorodok", "zone", "za")
    payload = CommandClaims(**claims).payload()
    siege.send(zone, payload)
    siege.send(zone, jws.sign(payload, ring.kid, stranger, "gorodok-command"))
    old = CommandClaims(**{**claims, "nbf": now - 9_000, "exp": now - 8_000})
    siege.send(zone, ring.sign_command(old))
    siege.send(zone, ring.sign_command(CommandClaims(**{**claims, "zone": "zb"})))
    (topic, drill) = siege.commands[-1] if siege.commands else (zone, b"")
    header, body, signature = drill.split(b".")
    text = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)).replace(b'"drill"', b'"live"')
    siege.send(topic, b".".join((header, base64.urlsafe_b64encode(text).rstrip(b"="), signature)))
    time.sleep(1.0)
    siege.nothing_opened()


def test_a_live_command_that_is_played_back_after_the_all_clear(tmp_path):
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    with Chain(tmp_path, {"za": 10}) as town:
        town.start_broker()
        town.start_reflex()
        fleet = town.start_fleet()
        heard: list[tuple[str, bytes]] = []
        spy = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "spy")
        spy.on_message = lambda _, __, message: heard.append((message.topic, bytes(message.payload)))
        spy.connect("127.0.0.1", town.port)
        spy.subscribe("gorodok/v1/gorodok/ctl/zone/+", 1)
        spy.loop_start()
        with town.client() as client:
            client.send_cap("cap", town.signed("za"))
            until(lambda: {each["state"] for each in fleet.truth()} == {"unlocked"})
            client.press("missile_alert", "all_clear", ["za"])
            until(lambda: {each["state"] for each in fleet.truth()} == {"locked"})
        for topic, payload in list(heard):
            spy.publish(topic, payload, qos=1).wait_for_publish(10)
        time.sleep(1.0)
        assert {(each["state"], each["moves"]) for each in fleet.truth()} == {("locked", 2)}
        spy.disconnect()
        spy.loop_stop()
