"""From readings to payloads: numbers them, lets faults happen, packs them by topic, notes the truth."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ingest.contracts import CONTRACTS
from simulator import chance
from simulator.faults import Faults, spoil
from simulator.life.source import Reading, rfc3339
from simulator.options import Options
from simulator.truth import Truth

Send = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class _Parcel:
    feed: str
    topic: str
    text: str
    key: list[Any]
    fault: str | None


class Outbox:
    """`post` a window's readings; what a fault holds back goes out in a later `post` or at `drain`."""

    def __init__(self, city: str, options: Options, truth: Truth, send: Send) -> None:
        self._prefix = f"gorodok/v1/{city}"
        self._options = options
        self._truth = truth
        self._send = send
        self._faults = Faults(options)
        self._boot_id = f"sim-{time.time_ns() // 1_000_000:x}"
        self._sequence: dict[tuple[str, str], int] = defaultdict(int)
        self._held: list[tuple[float, int, _Parcel]] = []
        self._count = itertools.count()

    def topic(self, feed: str, publisher: str) -> str:
        return f"{self._prefix}/{feed}/{publisher}"

    def post(self, readings: Iterable[Reading]) -> None:
        """Sends what is due now: these readings and whatever was held back."""
        ready: dict[tuple[str, str | None], list[_Parcel]] = defaultdict(list)
        now = time.monotonic()
        for reading in readings:
            if reading.feed not in self._options.silent:
                for parcel in self._parcels(reading, now):
                    ready[parcel.topic, parcel.fault].append(parcel)
        while self._held and self._held[0][0] <= now:
            parcel = heapq.heappop(self._held)[2]
            ready[parcel.topic, parcel.fault].append(parcel)
        self._flush(ready)

    def drain(self) -> None:
        """Sends everything that is still held back."""
        ready: dict[tuple[str, str | None], list[_Parcel]] = defaultdict(list)
        while self._held:
            parcel = heapq.heappop(self._held)[2]
            ready[parcel.topic, parcel.fault].append(parcel)
        self._flush(ready)

    def _parcels(self, reading: Reading, now: float) -> Iterable[_Parcel]:
        message, skewed = self._message(reading)
        topic = self.topic(reading.feed, reading.publisher)
        key = [message[name] for name in CONTRACTS[reading.feed].spec.key]
        fate = self._faults.fate(reading)
        if fate.lost:
            numbers = {"boot_id": self._boot_id, "sequence": message["sequence"]}
            self._truth.note("lost", feed=reading.feed, device=reading.device, key=key, **numbers)
            return
        if fate.malformed:
            self._spoilt(reading, message, topic)
            return
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        parcel = _Parcel(reading.feed, topic, text, key, "skewed" if skewed else None)
        if fate.repeat_s is not None:
            self._hold(now + fate.repeat_s + (fate.late_s or 0), _Parcel(reading.feed, topic, text, key, "duplicate"))
        if fate.late_s is None:
            yield parcel
        else:
            self._hold(now + fate.late_s, _Parcel(reading.feed, topic, text, key, "late"))

    def _message(self, reading: Reading) -> tuple[dict[str, Any], bool]:
        """The contract's fields, by the device's own clock and counter."""
        device = (reading.feed, reading.device)
        skew_s = self._faults.skew_s(reading.device)
        message = reading.content | {
            reading.time_field: rfc3339(reading.at_s + skew_s),
            "boot_id": self._boot_id,
            "sequence": self._sequence[device],
        }
        self._sequence[device] += 1
        return message, skew_s != 0

    def _spoilt(self, reading: Reading, message: dict[str, Any], topic: str) -> None:
        chances = chance.stream(self._options.seed, "spoil", reading.device, reading.at_s)
        how, payload = spoil(message, reading, chances)
        digest = hashlib.sha256(payload).hexdigest()
        self._send(topic, payload)
        self._truth.note("malformed", feed=reading.feed, topic=topic, how=how, sha256=digest)

    def _hold(self, until: float, parcel: _Parcel) -> None:
        heapq.heappush(self._held, (until, next(self._count), parcel))

    def _flush(self, ready: dict[tuple[str, str | None], list[_Parcel]]) -> None:
        for (topic, fault), parcels in ready.items():
            for chunk in _chunks(parcels, self._options.batch):
                texts = [parcel.text for parcel in chunk]
                payload = texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"
                self._send(topic, payload.encode())
                keys = [parcel.key for parcel in chunk]
                self._truth.note("sent", feed=chunk[0].feed, topic=topic, fault=fault, keys=keys)
        self._truth.flush()


def _chunks(parcels: list[_Parcel], size: int) -> Iterable[list[_Parcel]]:
    return (parcels[start : start + size] for start in range(0, len(parcels), size))
