"""One device and the city that commands it, over nothing but bytes. Time is what the test says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actuation.keys import KeyRing, change
from actuation.keys.identity import identity
from actuation.topics import control_topic
from actuation.wire.answer import Answer, Sensed, verify_answer, verify_sensed
from actuation.wire.claims import ClockClaims, CommandClaims
from city.layers import Device
from device.controller import Controller
from device.crossing import Crossing
from device.display import Display
from device.door import Door
from device.identity import Identity, parse_identity
from device.siren import Siren
from device.store import Store

CITY = "gorodok"
NOW = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp() * 1000)

BODIES: dict[str, tuple[type, list[str]]] = {
    "door": (Door, ["unlock", "lock"]),
    "lamp": (Crossing, ["light_on", "light_off"]),
    "siren": (Siren, ["siren_on", "siren_off"]),
    "display": (Display, ["show"]),
}


@dataclass
class Rig:
    """`s` is the monotonic clock in seconds, `now` the city's time in ms; `wait` moves both."""

    ring: KeyRing
    folder: Path
    kind: str = "door"
    lease_end: Any = "relock"
    s: float = 1_000.0
    now: int = NOW
    seq: int = 0
    body: Any = None
    identity: Identity = field(init=False)
    controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        made, actions = BODIES[self.kind]
        self.body = self.body or made()
        device = Device(
            device_id=f"{self.kind}-1", kind=self.kind, name_ru="-", name_en="-", zone_id="dma-1", actions=actions
        )
        self.identity = parse_identity(identity(self.ring, device, self.lease_end))
        self.boot()

    def boot(self) -> list[Answer | Sensed]:
        """Power comes (again): the same file, a new process, a clock that starts anywhere."""
        self.controller = Controller(self.identity, self.body, Store(self.folder / f"{self.kind}-state.json"))
        return self.read(self.controller.start(self.s))

    def next(self) -> int:
        self.seq += 1
        return self.seq

    def claims(self, **over: Any) -> CommandClaims:
        said: dict[str, Any] = {
            "cid": f"cid-{self.seq + 1}",
            "city": CITY,
            "zone": "dma-1",
            "action": BODIES[self.kind][1][0],
            "mode": "live",
            "nbf": self.now - 1_000,
            "exp": self.now + 600_000,
        } | over
        if said.get("device"):
            said.pop("zone")
        said.setdefault("seq", self.next())
        return CommandClaims(**said)

    def command(self, **over: Any) -> bytes:
        return self.ring.sign_command(self.claims(**over))

    def beacon(self, now: int | None = None, seq: int | None = None) -> bytes:
        claims = ClockClaims(seq=self.next() if seq is None else seq, city=CITY, now=self.now if now is None else now)
        return self.ring.sign_clock(claims)

    def hear(self, payload: bytes | None = None) -> None:
        self.controller.take(control_topic(CITY, "clock", "beacon"), payload or self.beacon(), self.s)

    def give(self, payload: bytes, what: Any = "zone") -> list[Answer]:
        """Answers to a message."""
        who = "dma-1" if what == "zone" else self.identity.device_id
        out = self.read(self.controller.take(control_topic(CITY, what, who), payload, self.s))
        return [each for each in out if isinstance(each, Answer)]

    def ask(self, payload: bytes, what: Any = "zone") -> str:
        """The one answer in a word: its reason, or its result."""
        answers = self.give(payload, what)
        assert len(answers) == 1, answers
        return answers[0].reason or answers[0].result

    def wait(self, seconds: float) -> list[Answer | Sensed]:
        self.s += seconds
        self.now += int(seconds * 1000)
        return self.read(self.controller.tick(self.s))

    def read(self, messages: list[tuple[str, bytes]]) -> list[Answer | Sensed]:
        found: list[Answer | Sensed] = []
        for topic, payload in messages:
            what, who = topic.split("/")[4:]
            verify = verify_answer if what == "answer" else verify_sensed
            message = verify(payload, self.ring, who)
            assert isinstance(message, (Answer, Sensed)), (message, payload)
            found.append(message)
        return found


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    change.create(folder, CITY)
    return folder


@pytest.fixture
def ring(keys_dir: Path) -> KeyRing:
    return KeyRing(keys_dir)


@pytest.fixture
def rig(ring: KeyRing, tmp_path: Path) -> Callable[..., Rig]:
    """A device that has the time, unless clock=False."""

    def make(kind: str = "door", *, clock: bool = True, **more: Any) -> Rig:
        folder = tmp_path / f"device-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        made = Rig(ring, folder, kind, **more)
        if clock:
            made.hear()
        return made

    return make


def body_of(message: bytes) -> dict[str, Any]:
    return dict(json.loads(message.rpartition(b".")[0]))
