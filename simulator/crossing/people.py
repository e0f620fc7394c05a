"""Who comes to a crossing and how they move; the truth that a controller is measured against.

Speeds: free walking speed of pedestrians 1.34 ± 0.26 m/s (U. Weidmann, Transporttechnik der Fussgaenger, ETH 1993);
wheelchairs and prams slower, runners and cyclists faster (assumed round figures).
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from simulator import chance
from simulator.life.cameras import BY_HOUR

Kind = Literal["walker", "runner", "wheelchair", "pram", "cyclist", "group", "dog", "turns_back", "passer_by"]

WIDTH_M = 7.0
"""Carriageway of two lanes."""
SEEN_M = 12.0
"""People come into view so far from the kerb."""
CROSSES: tuple[Kind, ...] = ("walker", "runner", "wheelchair", "pram", "cyclist", "group")
"""Those for whom the lamps must be on. A dog alone, somebody who turns back and a passer-by are false lightings."""

SPEED: dict[Kind, tuple[float, float, float]] = {
    "walker": (1.34, 0.26, 0.6), "runner": (3.0, 0.4, 2.0), "wheelchair": (0.9, 0.2, 0.4), "pram": (1.1, 0.2, 0.5),
    "cyclist": (4.2, 0.7, 2.5), "group": (1.2, 0.15, 0.7), "dog": (2.0, 0.5, 0.8), "turns_back": (1.3, 0.2, 0.7),
    "passer_by": (1.34, 0.26, 0.6),
}  # fmt: skip
"""Mean, spread and least speed, m/s."""
WAITS: dict[Kind, tuple[float, float]] = {
    "walker": (0.5, 4.0), "runner": (0.15, 1.0), "wheelchair": (0.7, 5.0), "pram": (0.8, 5.0), "cyclist": (0.1, 1.5),
    "group": (0.6, 5.0), "dog": (0.2, 2.0), "turns_back": (1.0, 5.0), "passer_by": (0.0, 0.0),
}  # fmt: skip
"""Share that stops at the kerb, and for how long on average, seconds."""
SHARES: tuple[tuple[Kind, float], ...] = (
    ("walker", 0.52), ("runner", 0.04), ("wheelchair", 0.02), ("pram", 0.05), ("cyclist", 0.06), ("group", 0.07),
    ("dog", 0.02), ("turns_back", 0.04), ("passer_by", 0.18),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One body. path: (seconds, metres on the axis), in order; steps_off_s, clear_s: on and off the carriageway."""

    number: int
    kind: Kind
    path: tuple[tuple[float, float], ...]
    steps_off_s: float | None
    clear_s: float | None

    @property
    def from_s(self) -> float:
        return self.path[0][0]

    @property
    def until_s(self) -> float:
        return self.path[-1][0]

    def where(self, at_s: float) -> tuple[float, float]:
        """Place on the axis, metres, and speed along it, m/s."""
        at = min(max(bisect.bisect_right(self.path, at_s, key=lambda knot: knot[0]), 1), len(self.path) - 1)
        (before_s, before_m), (after_s, after_m) = self.path[at - 1], self.path[at]
        speed = (after_m - before_m) / (after_s - before_s) if after_s > before_s else 0.0
        return before_m + speed * (at_s - before_s), speed


def people(seed: int, hours: float, per_hour: float = 40.0, from_hour: int = 0) -> Iterator[Person]:
    """Everybody who comes, in order of coming; per_hour: mean of a day, more by day and fewer by night."""
    number, found = 0, []
    for minute in range(round(hours * 60)):
        chances = chance.stream(seed, "crossing", minute)
        busy = BY_HOUR[(from_hour + minute // 60) % 24] * per_hour / 60
        while chances.random() < busy:
            busy -= 1.0
            at_s = minute * 60 + chances.uniform(0, 60)
            kind = chances.choices([kind for kind, _ in SHARES], [share for _, share in SHARES])[0]
            for start_s in _starts(kind, at_s, chances):
                found.append(_person(number, kind, start_s, chances))
                number += 1
    yield from sorted(found, key=lambda one: (one.from_s, one.number))


def _starts(kind: Kind, at_s: float, chances: Random) -> list[float]:
    """A group is some people close together; often a second group comes while the first still crosses."""
    if kind != "group":
        return [at_s]
    first = [at_s + chances.uniform(0, 3) for _ in range(chances.randint(2, 6))]
    second = [at_s + chances.uniform(8, 16) + chances.uniform(0, 3) for _ in range(chances.randint(2, 5))]
    return first + (second if chances.random() < 0.5 else [])


def _person(number: int, kind: Kind, at_s: float, chances: Random) -> Person:
    mean, spread, least = SPEED[kind]
    speed = max(least, chances.gauss(mean, spread))
    share, mean_s = WAITS[kind]
    wait_s = chances.expovariate(1 / mean_s) if chances.random() < share else 0.0
    other_side = chances.random() < 0.5
    if kind == "passer_by":
        away = -chances.uniform(0.8, 5.0)
        path, off, clear = [(at_s, away), (at_s + 2 * SEEN_M / speed, away + chances.uniform(-0.3, 0.3))], None, None
    elif kind == "turns_back":
        near = -chances.uniform(0.2, 1.5)
        arrives = at_s + (SEEN_M + near) / speed
        leaves = arrives + wait_s
        path, off, clear = [(at_s, -SEEN_M), (arrives, near), (leaves, near),
                            (leaves + (SEEN_M + near) / speed, -SEEN_M)], None, None  # fmt: skip
    else:
        stop = -chances.uniform(0.1, 0.8) if wait_s else 0.0
        arrives = at_s + (SEEN_M + stop) / speed
        leaves = arrives + wait_s
        off = leaves - stop / speed
        clear = off + WIDTH_M / speed
        path = [(at_s, -SEEN_M), (arrives, stop)] + ([(leaves, stop)] if wait_s else [])
        path += [(clear + SEEN_M / speed, WIDTH_M + SEEN_M)]
    if other_side:
        path = [(when, WIDTH_M - metres) for when, metres in path]
    return Person(number, kind, tuple(path), off, clear)
