"""A real mosquitto with the access list of `gorodok acl`, and `python -m device` as a maker runs it, over TLS."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import queue
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from actuation.keys import KeyRing
from actuation.topics import control_topic
from actuation.wire.answer import Answer, verify_answer
from actuation.wire.beacon import next_beacon
from actuation.wire.claims import CommandClaims
from apps.cli.main import app
from city.settings import ROOT, settings
from ingest.broker.mosquitto import find_mosquitto

pytestmark = pytest.mark.broker

CITY, DOOR, OTHER, ZONE = "gorodok", "door-shelter-01", "door-shelter-02", "dma-2"


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Town:
    """home with keys and access list; a broker with a plain and a TLS listener, both with users."""

    home: Path
    port: int
    tls_port: int
    passwords: dict[str, str]
    ring: KeyRing
    clients: list[mqtt.Client] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    broker: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        with (self.home / "broker" / "log").open("ab") as log:
            self.broker = subprocess.Popen(self.start, stdout=log, stderr=log)
        for at in (self.port, self.tls_port):
            _until(lambda at=at: _accepts(at))

    def down(self) -> None:
        assert self.broker is not None
        self.broker.kill()
        self.broker.wait(10)

    def device(self, device_id: str) -> subprocess.Popen[bytes]:
        """`python -m device`, over TLS."""
        at = f"mqtts://127.0.0.1:{self.tls_port}"
        words = ["--identity", str(self.identity(device_id)), "--broker", at]
        command = [sys.executable, "-m", "device", *words, "--ca", str(self.home / "broker" / "cert.pem")]
        with (self.home / "device.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=log, stderr=log)

    def identity(self, device_id: str) -> Path:
        path = self.home / f"{device_id}.json"
        if not path.exists():
            _cli("keys", "export", device_id, "--out", str(path))
        return path

    def login(self, user: str, password: str | None = None, listens: tuple[str, ...] = ()) -> Login:
        if password is None:
            device = self.home / f"{user}.json"
            known = json.loads(device.read_text())["mqtt_password"] if device.exists() else self.passwords[user]
            password = str(known)
        login = Login(user, password, self.port, listens)
        self.clients.append(login.client)
        return login


class Login:
    """A client of the broker that notes what it gets and whether what it sends is taken."""

    def __init__(self, user: str, password: str, port: int, listens: tuple[str, ...]) -> None:
        self.got: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._codes: queue.Queue[int] = queue.Queue()
        up: queue.Queue[Any] = queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, password)
        self.client.on_connect = lambda c, u, f, reason, p: up.put(reason)
        self.client.on_subscribe = lambda *_: up.put("subscribed")
        self.client.on_message = lambda c, u, message: self.got.put((message.topic, bytes(message.payload)))
        self.client.on_publish = lambda c, u, mid, reason, p: self._codes.put(reason.value)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.reason = up.get(timeout=10)
        if listens and not self.reason.is_failure:
            self.client.subscribe([(topic, 1) for topic in listens])
            up.get(timeout=10)

    def may(self, topic: str, payload: bytes = b"x", retain: bool = False) -> bool:
        """True when the broker takes it; mosquitto says 135, not authorized, otherwise."""
        self.client.publish(topic, payload, qos=1, retain=retain)
        code = self._codes.get(timeout=10)
        assert code in (0, 16, 135), code
        return code != 135

    def drain(self, until: str, seconds: float = 10) -> list[tuple[str, bytes]]:
        """What came up to a message on the topic `until`."""
        found = [self.got.get(timeout=seconds)]
        while found[-1][0] != until:
            found.append(self.got.get(timeout=seconds))
        return found


def _cli(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    monkeypatch.setenv("GORODOK_HOME", str(tmp_path))
    settings.cache_clear()
    _cli("keys", "new")
    _cli("acl")
    folder = tmp_path / "broker"
    _certificate(folder)
    port, tls_port = _port(), _port()
    (folder / "test.conf").write_text(
        f"user {getpass.getuser()}\nset_tcp_nodelay true\nallow_anonymous false\n"
        f"acl_file {folder / 'acl'}\npassword_file {folder / 'passwords'}\n"
        f"listener {port} 127.0.0.1\n"
        f"listener {tls_port} 127.0.0.1\ncertfile {folder / 'cert.pem'}\nkeyfile {folder / 'key.pem'}\n"
    )
    made = Town(tmp_path, port, tls_port, json.loads((folder / "services.json").read_text()), KeyRing.load(settings()))
    made.start = [str(program), "-c", str(folder / "test.conf")]
    made.up()
    try:
        yield made
    finally:
        for client in made.clients:
            client.disconnect()
            client.loop_stop()
        made.down()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _until(what: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_a_door_may_and_may_not(town: Town) -> None:
    town.identity(DOOR)
    reflex = town.login("reflex", listens=(control_topic(CITY, "answer", "+"), control_topic(CITY, "zone", "+")))
    door = town.login(DOOR, listens=("#", "gorodok/#", control_topic(CITY, "command", OTHER)))
    assert not door.reason.is_failure

    for topic in (
        control_topic(CITY, "command", DOOR),
        control_topic(CITY, "command", OTHER),
        control_topic(CITY, "zone", ZONE),
        control_topic(CITY, "clock", "beacon"),
        control_topic(CITY, "keys", "all"),
        control_topic(CITY, "answer", OTHER),
        control_topic(CITY, "sensed", OTHER),
        control_topic(CITY, "cap", "source"),
        "gorodok/v1/gorodok/alert/" + DOOR,
        "gorodok/v1/gorodok/ledger_entry/" + DOOR,
        control_topic("teriberka", "answer", DOOR),
    ):
        assert not door.may(topic), topic
    assert door.may(control_topic(CITY, "answer", DOOR), b"mine")
    assert reflex.drain(control_topic(CITY, "answer", DOOR)) == [(control_topic(CITY, "answer", DOOR), b"mine")]

    for what, who in (("command", OTHER), ("zone", "dma-1"), ("answer", OTHER), ("sensed", OTHER), ("cap", "source")):
        assert reflex.may(control_topic(CITY, what, who)), what  # type: ignore[arg-type]
    assert reflex.may("gorodok/v1/gorodok/ledger_entry/reflex")
    own = [("keys", "all"), ("clock", "beacon"), ("zone", ZONE), ("command", DOOR)]
    for what, who in own:
        assert reflex.may(control_topic(CITY, what, who)), what  # type: ignore[arg-type]
    heard = {topic for topic, _ in door.drain(control_topic(CITY, "command", DOOR))}
    assert heard == {control_topic(CITY, what, who) for what, who in own}, "only its own, whatever it subscribed"  # type: ignore[arg-type]


def test_logins_and_services(town: Town) -> None:
    town.identity(DOOR)
    assert town.login(DOOR, "guess").reason.is_failure
    assert town.login("nobody", "guess").reason.is_failure
    assert town.login("pages").may("gorodok/v1/gorodok/alert/pages") is False
    pull = town.login("pull")
    assert pull.may(control_topic(CITY, "cap", "mchs"))
    assert pull.may("gorodok/v1/gorodok/complaint/pull")
    assert not pull.may(control_topic(CITY, "zone", ZONE))
    assert not town.login("gateway").may(control_topic(CITY, "zone", ZONE))
    assert not town.login("orchestration").may(control_topic(CITY, "zone", ZONE))
    town.identity("flow-dma-1")
    flow = town.login("flow-dma-1")
    assert flow.may("gorodok/v1/gorodok/scada_reading/flow-dma-1")
    assert not flow.may("gorodok/v1/gorodok/scada_reading/flow-dma-2")
    assert not flow.may("gorodok/v1/gorodok/camera_event/flow-dma-1")
    assert not flow.may(control_topic(CITY, "answer", "flow-dma-1"))


def test_files_say_when_they_are_stale(town: Town) -> None:
    _cli("acl", "--check")
    _cli("keys", "revoke", "--device", DOOR)
    done = CliRunner().invoke(app, ["acl", "--check", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["stale"]) == (1, ["passwords"])
    assert (town.home / "broker" / "passwords").stat().st_mode & 0o777 == 0o600


class Reflex:
    """The city's side: beacons, commands, and what the door says."""

    def __init__(self, town: Town) -> None:
        self.town, self._seq = town, iter(range(1, 1_000))
        self.login()

    def login(self) -> None:
        self.link = self.town.login(
            "reflex", listens=(control_topic(CITY, "answer", "+"), control_topic(CITY, "sensed", "+"))
        )
        assert self.link.may(control_topic(CITY, "keys", "all"), self.town.ring.keyset, retain=True)

    def beacon(self) -> None:
        now = datetime.now(UTC)
        assert self.link.may(
            control_topic(CITY, "clock", "beacon"), next_beacon(CITY, self.town.ring, lambda: next(self._seq), now)
        )

    def unlock(self, cid: str, seconds: float = 60) -> tuple[str, bytes]:
        """The door's answer."""
        now = int(time.time() * 1000)
        claims = CommandClaims(
            cid=cid, seq=next(self._seq), city=CITY, zone=ZONE, kinds=("door",), action="unlock", mode="live",
            nbf=now - 1_000, exp=now + int(seconds * 1000),
        )  # fmt: skip
        assert self.link.may(control_topic(CITY, "zone", ZONE), self.town.ring.sign_command(claims))
        return self.link.drain(control_topic(CITY, "answer", DOOR))[-1]

    def sensed(self, state: bytes) -> None:
        """Waits until the door's sensor says so."""
        while b'"state":"' + state not in self.link.drain(control_topic(CITY, "sensed", DOOR), 40)[-1][1]:
            pass


def _answer(town: Town, message: tuple[str, bytes]) -> Answer:
    found = verify_answer(message[1], town.ring, DOOR)
    assert isinstance(found, Answer), message
    return found


@pytest.mark.fault
def test_device_program_over_tls_with_a_kill_in_the_middle(town: Town) -> None:
    reflex = Reflex(town)
    process = town.device(DOOR)
    try:
        reflex.sensed(b"locked")
        assert _answer(town, reflex.unlock("alert-1")).reason == "clock"
        reflex.beacon()
        first = reflex.unlock("alert-1")
        assert (_answer(town, first).result, _answer(town, first).state) == ("done", "unlocked")
        process.kill()
        process.wait(10)
        process = town.device(DOOR)
        reflex.sensed(b"unlocked")  # it keeps its lease
        assert reflex.unlock("alert-1") == first, "the retry gets the stored answer"
    finally:
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.fault
@pytest.mark.slow
def test_broker_is_killed_in_an_alert(town: Town) -> None:
    """The door stays open until the command's end, locks by itself, and says so when the broker is back."""
    reflex = Reflex(town)
    process = town.device(DOOR)
    try:
        reflex.sensed(b"locked")
        reflex.beacon()
        assert _answer(town, reflex.unlock("alert-1", 6)).state == "unlocked"
        end = time.monotonic() + 6
        town.down()
        reflex.link.client.loop_stop()
        log = town.home / "device.log"
        _until(lambda: log.read_text("utf-8").count('"state":"locked"') == 2, 30)
        assert time.monotonic() > end - 0.5, "not before the end"
        town.up()
        reflex.login()
        reflex.sensed(b"locked")
        reflex.beacon()
        assert _answer(town, reflex.unlock("alert-2")).state == "unlocked"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_device_program_says_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "id.json"
    bad.write_text('{"format":"gorodok-device/9"}')
    done = subprocess.run(
        [sys.executable, "-m", "device", "--identity", str(bad)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "gorodok-device/1" in done.stderr
