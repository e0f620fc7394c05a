"""How devices and networks misbehave: lost, spoilt, late, repeated messages, and clocks that are wrong.

Whether a message is hit depends on the seed, its device and its time alone, so that a fault can be met again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from simulator import chance
from simulator.life.source import Reading
from simulator.options import Options


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one message. late_s, repeat_s: seconds from now, None = not."""

    lost: bool = False
    malformed: bool = False
    late_s: float | None = None
    repeat_s: float | None = None


GOOD = Fate()
REPEAT_WITHIN_S = 5.0


class Faults:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._any = bool(options.gaps or options.malformed or options.out_of_order or options.duplicates)
        self._skews: dict[str, float] = {}

    def skew_s(self, device: str) -> float:
        """How far a device's clock is off: ahead is positive; 0 for most."""
        if self._options.skew == 0:
            return 0.0
        if device not in self._skews:
            wrong = chance.share(self._options.seed, "skew", device) < self._options.skew
            sign = 1 if chance.share(self._options.seed, "sign", device) < 0.5 else -1
            self._skews[device] = sign * self._options.skew_s if wrong else 0.0
        return self._skews[device]

    def fate(self, reading: Reading) -> Fate:
        if not self._any:
            return GOOD
        options = self._options
        chances = chance.stream(options.seed, "fate", reading.feed, reading.device, reading.at_s)
        lost, malformed, late, twice = (chances.random() for _ in range(4))
        if lost < options.gaps:
            return Fate(lost=True)
        if malformed < options.malformed:
            return Fate(malformed=True)
        return Fate(
            late_s=chances.uniform(1, options.late_s) if late < options.out_of_order else None,
            repeat_s=chances.uniform(0, REPEAT_WITHIN_S) if twice < options.duplicates else None,
        )


def spoil(message: dict[str, Any], reading: Reading, chances: Random) -> tuple[str, bytes]:
    """How it is spoilt, and the bytes. Every one of them breaks the feed's contract."""
    how = chances.choice(sorted(SPOILERS))
    return how, SPOILERS[how](dict(message), reading)


def _dumped(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


def _cut(message: dict[str, Any], _: Reading) -> bytes:
    whole = _dumped(message)
    return whole[: len(whole) // 2]


def _no_utf8(message: dict[str, Any], _: Reading) -> bytes:
    return _dumped(message).replace(b'": "', b'": "\xff\xfe', 1)


def _no_time(message: dict[str, Any], reading: Reading) -> bytes:
    del message[reading.time_field]
    return _dumped(message)


def _local_time(message: dict[str, Any], reading: Reading) -> bytes:
    return _dumped(message | {reading.time_field: str(message[reading.time_field]).rstrip("Z")})


def _text_for_number(message: dict[str, Any], _: Reading) -> bytes:
    return _dumped(message | {"sequence": str(message["sequence"])})


def _unknown_field(message: dict[str, Any], _: Reading) -> bytes:
    return _dumped(message | {"firmware_debug": 1})


def _not_json(_: dict[str, Any], __: Reading) -> bytes:
    return bytes.fromhex("0103a00c")


def _not_a_number(message: dict[str, Any], _: Reading) -> bytes:
    return _dumped(message | {"sequence": float("nan")})


SPOILERS: dict[str, Callable[[dict[str, Any], Reading], bytes]] = {
    "cut": _cut,
    "no_utf8": _no_utf8,
    "no_time": _no_time,
    "local_time": _local_time,
    "text_for_number": _text_for_number,
    "unknown_field": _unknown_field,
    "not_json": _not_json,
    "not_a_number": _not_a_number,
}
