"""A simulated device: device.Controller with a body, a wire to it, and faults that the truth file tells.

One thing is not as in the field: thousands of devices in one process get the same bytes of one zone command, and its
signature is checked once for all of them (with the same keys the verdict is the same). In a city each controller
checks it by itself and at the same time; one core doing it 10,000 times would be what is measured.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import device.controller
from device.bodies import make_body
from device.controller import Controller
from device.identity import Identity, parse_identity
from device.protocol import RefusedError, read_beacon, read_command
from device.store import State, Store


@dataclass(slots=True)
class Faults:
    """deaf: takes and gives nothing. jammed: accepts, and its thing does not move. clock_s: its clock is so far off
    until the first beacon."""

    deaf: bool = False
    jammed: bool = False
    clock_s: float = 0.0


@dataclass(slots=True)
class Seen:
    """What the device itself knows: the truth that the platform's counts are compared with."""

    commands: int = 0
    answers: dict[str, str] = field(default_factory=dict)


class SimulatedDevice:
    """A Behaviour of simulator.fleet.loop."""

    def __init__(self, identity: Identity, faults: Faults | None = None, store: Store | None = None) -> None:
        self.identity, self.faults, self.seen = identity, faults or Faults(), Seen()
        self.body = make_body(identity.kind, broken=self.faults.jammed)
        self.controller = Controller(identity, self.body, store or _Skewed(self.faults.clock_s))

        self._started = False

    def topics(self) -> Sequence[tuple[str, int]]:
        return self.identity.listens()

    def receive(self, topic: str, payload: bytes) -> Iterable[tuple[str, bytes]]:
        commanded = "/zone/" in topic or "/command/" in topic
        if commanded:
            self.seen.commands += 1
        if self.faults.deaf:
            return ()
        first = () if self._started else self.tick()
        out = self.controller.take(topic, payload, time.monotonic())
        if commanded and out:
            self._note()
        return [*first, *out]

    def tick(self) -> Iterable[tuple[str, bytes]]:
        if self.faults.deaf:
            return ()
        if not self._started:
            self._started = True
            return self.controller.start(time.monotonic())
        out = self.controller.tick(time.monotonic())
        if out:
            self._note()
        return out

    def _note(self) -> None:
        for answered in self.controller.state.answered[-2:]:
            if answered.answer is not None:
                self.seen.answers[answered.cid] = answered.answer

    @property
    def moves(self) -> int:
        return int(getattr(self.body, "moves", 0))

    def truth(self) -> dict[str, Any]:
        me = self.identity
        return {
            "device_id": me.device_id,
            "zone_id": me.zone_id,
            "kind": me.kind,
            "deaf": self.faults.deaf,
            "jammed": self.faults.jammed,
            "state": self.body.state(),
            "moves": self.moves,
            "commands": self.seen.commands,
            "answered": sorted(self.seen.answers),
        }


class _Skewed(Store):
    """In memory; the time that the device believes to have come is off by so much."""

    def __init__(self, clock_s: float) -> None:
        super().__init__(None)
        self._clock_s = clock_s

    def load(self, owner: str) -> State:
        state = super().load(owner)
        if self._clock_s:
            state.floor_ms = int((time.time() + self._clock_s) * 1_000)
        return state


def check_signatures_once() -> None:
    """See the head of this file. Affects this process only."""
    controller: Any = device.controller
    controller.read_command = _memo(read_command)
    controller.read_beacon = _memo(read_beacon)


def _memo(read: Any) -> Any:
    @functools.lru_cache(maxsize=256)
    def known(message: bytes, signers: tuple[tuple[str, bytes], ...]) -> Any:
        try:
            return read(message, dict(signers)), None
        except RefusedError as refused:
            return None, refused

    def reading(message: bytes, signers: dict[str, bytes]) -> Any:
        found, refused = known(message, tuple(signers.items()))
        if refused is not None:
            raise refused
        return found

    return reading


def identity_of(said: dict[str, Any]) -> Identity:
    """Of a line that `gorodok keys export` would write."""
    return parse_identity(said)
