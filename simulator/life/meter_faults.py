"""Meters that are wrong on demand: each kind of the platform's meter checks, with the ground truth of every fault.

A few flats' meters are drawn for each kind that is asked for. Of some kinds single readings are wrong, about one in
`EVERY`; of the others the counter itself is wrong from a pivot on, a share of a day after the simulator's start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from simulator import chance
from simulator.life.source import Reading, rfc3339

MeterFault = Literal[
    "rate_high", "rate_negative", "duplicate", "future", "stuck", "roll_over", "meter_changed", "unit_error"
]  # fmt: skip
LASTING = ("stuck", "roll_over", "meter_changed")
EVERY = 12
PIVOT_DAYS = 0.2
ROLL_M3 = 1_000.0
AHEAD_S = 40 * 86_400

Note = Callable[[str, str, str], None]
"""(kind, meter_id, event time)."""


class MeterFaults:
    """pivots: what a lasting fault turns on: the counter that its meter shows at the pivot, m3."""

    def __init__(self, seed: int, kinds: Sequence[MeterFault], each: int, meters: Sequence[str], note: Note) -> None:
        self._seed = seed
        self._note = note
        self.of: dict[str, MeterFault] = {}
        order = sorted(meters, key=lambda meter: chance.share(seed, "faulty", meter))
        for number, meter_id in enumerate(order[: each * len(kinds)]):
            self.of[meter_id] = kinds[number % len(kinds)]
        self.pivots: dict[str, float] = {}

    def apply(self, reading: Reading) -> Iterator[Reading]:
        """The reading as its meter tells it: as it is, wrong, or twice."""
        kind = self.of.get(reading.device)
        if kind is None or "volume_m3" not in reading.content:
            yield reading
            return
        value = float(reading.content["volume_m3"])
        if kind in LASTING:
            shown = _lasting(kind, value, self.pivots.get(reading.device, 0.0))
            if shown != value:
                self._note(kind, reading.device, rfc3339(reading.at_s))
            yield _showing(reading, shown)
            return
        if chance.number(self._seed, "wrong", reading.device, reading.at_s) % EVERY:
            yield reading
            return
        self._note(kind, reading.device, rfc3339(reading.at_s))
        if kind == "duplicate":
            yield reading
            yield _showing(reading, value + 0.5)
        elif kind == "future":
            yield replace(reading, at_s=reading.at_s + AHEAD_S)
        else:
            yield _showing(
                reading,
                {"rate_high": value + 500, "rate_negative": max(0.0, value - 5), "unit_error": value * 1_000}[kind],
            )


def _lasting(kind: MeterFault, value: float, pivot: float) -> float:
    if kind == "stuck":
        return min(value, pivot)
    if kind == "roll_over":
        return (value - pivot + ROLL_M3) % ROLL_M3
    return value if value < pivot else value - pivot


def _showing(reading: Reading, value: float) -> Reading:
    return replace(reading, content={**reading.content, "volume_m3": round(value, 3)})
