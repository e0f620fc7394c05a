"""The state machine of meter checks. Stepping reading by reading gives what stepping a year at once gives.

Readings go in in the order in which they came. Of each meter the first of a step is judged first, then the second, and
so on: every round is a few numpy operations over all meters, so that a flush of the gateway costs about as much as
one reading, and a year of a town is a batch. A reading that is not believed changes nothing that later ones are
judged by; a row of readings that agree with each other and not with the past begins a new count (`meter_changed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domains.water.meters.kinds import BIT, CODE, KINDS, WORDS, Kind
from domains.water.meters.limits import Limits
from domains.water.meters.state import NEVER, RING, State

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
HABIT_US = 30 * 24 * HOUR_US
TOLERANCE_M3 = 0.0021
"""Two litres: rounding, and the swing of a check valve."""
BURST_M3 = 0.05
"""A radio module may tell late what ran before: so much is never too fast."""
CAPACITIES_M3 = (1e3, 1e4, 1e5, 1e6)
"""Where counters roll over: 3 to 6 digits of cubic metres."""
BACKFLOW_M3 = 0.5
"""A counter that settles so little lower is the same meter, through which water ran back."""
UNIT = 1_000.0
PASSING = BIT["rate_high"] | BIT["rate_negative"] | BIT["duplicate"] | BIT["future"] | BIT["unit_error"]
"""Told of one reading: a believed reading clears them. So do roll_over and meter_changed, by the reading after."""
EVENTS = BIT["roll_over"] | BIT["meter_changed"]


@dataclass(frozen=True, slots=True)
class Readings:
    """One row per reading of a water counter, in the order in which they came.

    at_us, received_us: microseconds since 1970, by the meter's and by the platform's clock; value_m3: the counter.
    """

    meter_id: Sequence[str]
    scope: Sequence[str]
    at_us: Ints
    value_m3: Floats
    received_us: Ints


@dataclass(frozen=True, slots=True)
class Flags:
    """One row per change of a flag. row: of the readings; kind: number in KINDS; raised: False when it cleared.

    before_m3, low_m3, high_m3, hours: what the reading was judged by.
    """

    row: Ints
    kind: Ints
    raised: Bools
    value_m3: Floats
    before_m3: Floats
    low_m3: Floats
    high_m3: Floats
    hours: Floats

    def __len__(self) -> int:
        return len(self.row)

    def kind_of(self, at: int) -> Kind:
        return KINDS[int(self.kind[at])]

    def words(self, at: int) -> tuple[str, str]:
        """(Russian, English) of a raised flag."""
        return WORDS[self.kind_of(at)].told(
            value=float(self.value_m3[at]), before=float(self.before_m3[at]), low=float(self.low_m3[at]),
            high=float(self.high_m3[at]), hours=float(self.hours[at]),
        )  # fmt: skip


class Checks:
    def __init__(self, limits: Limits | None = None, state: State | None = None) -> None:
        self.limits = limits or Limits()
        self.state = state or State()

    def step(self, readings: Readings) -> Flags:
        """Judges the readings; the flags that changed, in the order of the readings."""
        places = self._places(readings)
        rows, ends = _rounds(places)
        found: list[_Found] = []
        start = 0
        for end in ends:
            chosen = rows[start:end]
            start = end
            found.append(
                self._round(
                    chosen, places[chosen], readings.at_us[chosen], readings.value_m3[chosen],
                    readings.received_us[chosen],
                )
            )  # fmt: skip
        return _flags(found)

    def visited(self, meter_id: str, result: str, at_us: int) -> tuple[Kind, bool] | None:
        """What an inspector found, back into the checks: (kind, raised) of the flag that changed, or None.

        ok: nobody used water, or the meter was mended: stuck and dead clear, and stillness counts from the visit.
        dead: a flag that clears when the counter moves. replaced: the next reading begins a new count.
        """
        place = self.state.places.get(meter_id)
        if place is None:
            return None
        state = self.state
        flags = int(state.flags[place])
        if result == "dead":
            state.flags[place] = flags | BIT["dead"]
            return None if flags & BIT["dead"] else ("dead", True)
        if result == "replaced":
            state.last_us[place] = state.moved_us[place] = state.other_us[place] = NEVER
            state.others[place] = 0
        elif result != "ok":
            return None
        else:
            state.moved_us[place] = max(int(state.moved_us[place]), at_us)
        state.flags[place] = flags & ~(BIT["stuck"] | BIT["dead"])
        gone: Kind | None = "dead" if flags & BIT["dead"] else "stuck" if flags & BIT["stuck"] else None
        return (gone, False) if gone else None

    def _places(self, readings: Readings) -> Ints:
        known = self.state.places
        places = list(map(known.get, readings.meter_id))
        if None in places:
            for row, place in enumerate(places):
                if place is None:
                    meter_id = readings.meter_id[row]
                    found = known.get(meter_id)
                    if found is None:
                        found = self.state.add(meter_id, self.limits.largest_m3_h(meter_id, readings.scope[row]))
                    places[row] = found
        return np.array(places, dtype=np.int64)

    def _round(self, row: Ints, i: Ints, at: Ints, value: Floats, received: Ints) -> _Found:
        """At most one reading a meter. i: places of the meters."""
        s, limits = self.state, self.limits
        last_us, before = s.last_us[i], s.last_m3[i]
        flags = s.flags[i]
        first = last_us == NEVER
        future = at > received + int(limits.ahead_s * SECOND_US)
        repeat = ~future & (s.ring_us[i] == at[:, None]).any(axis=1)
        judged = ~(future | repeat)
        late = judged & ~first & (at < last_us)
        dt = np.where(first | late, 0, at - last_us)
        most = s.largest_m3_us[i] * dt + BURST_M3
        dv = value - before
        good = judged & ~late & (first | ((dv >= -TOLERANCE_M3) & (dv <= most)))
        odd = judged & ~good
        roll = np.zeros(len(i), dtype=bool)
        unit, changed, low_flag, high_flag, ahead, new_meter = roll, roll, roll, roll, roll, roll
        if odd.any():
            roll = odd & ~late & _rolls_over(value, before, most)
            unit = odd & ~late & ~roll & _unit_error(value, before, most)
            others = self._others(i, at, value, odd & ~roll)
            need = np.where(unit, limits.confirm_unit, limits.confirm)
            changed = odd & ~roll & (others >= need)
            ahead = changed & late  # the believed time was wrong: this row of readings never catches up with it
            backflow = changed & ~late & (np.abs(dv) < BACKFLOW_M3)  # the same meter, some water ran back
            pending = odd & ~roll & ~changed & ~late
            low_flag = pending & ~unit & (dv < 0)
            high_flag = pending & ~unit & (dv >= 0)
            unit = unit & ~changed
            new_meter = changed & ~late & ~backflow
        believed = good | roll | changed
        fresh = first | changed  # a new count begins

        moved = self._move(i, at, value, believed, fresh, roll, before)
        still_us = np.where(s.moved_us[i] == NEVER, 0, at - s.moved_us[i])
        usual = s.habit_m3_s[i] * (still_us / SECOND_US)
        stuck = (
            good & ~moved & (still_us >= limits.stuck_s * SECOND_US) & (still_us > 2 * s.still_us[i])
            & (usual >= limits.stuck_m3)
        )  # fmt: skip

        new = flags.copy()
        new[believed] &= ~(PASSING | EVENTS)
        new[moved | fresh & judged] &= ~(BIT["stuck"] | BIT["dead"])
        raised: tuple[tuple[Kind, Bools], ...] = (
            ("future", future | ahead), ("duplicate", repeat), ("roll_over", roll), ("unit_error", unit),
            ("meter_changed", new_meter), ("rate_negative", low_flag), ("rate_high", high_flag), ("stuck", stuck),
        )  # fmt: skip
        for kind, mask in raised:
            new[mask] |= BIT[kind]
        s.flags[i] = new
        self._remember(i, at, ~future)
        difference = new ^ flags
        if not difference.any():
            return _Found.none()
        hours = np.where(stuck, still_us, dt) / HOUR_US
        high = np.where(stuck, usual, before + most)
        return _Found.of(row, difference, new, value, before, before - TOLERANCE_M3, high, hours)

    def _others(self, i: Ints, at: Ints, value: Floats, odd: Bools) -> NDArray[np.int32]:
        """How many readings in a row agree with each other and not with what is believed."""
        s = self.state
        rise = value - s.other_m3[i]
        passed = at - s.other_us[i].clip(min=0)
        agrees = (
            (s.others[i] > 0) & (passed > 0) & (rise >= -TOLERANCE_M3)
            & (rise <= s.largest_m3_us[i] * passed + BURST_M3)
        )  # fmt: skip
        others = np.where(agrees, s.others[i] + 1, 1)
        s.others[i[odd]] = others[odd]
        s.other_us[i[odd]], s.other_m3[i[odd]] = at[odd], value[odd]
        return others.astype(np.int32)

    def _move(
        self, i: Ints, at: Ints, value: Floats, believed: Bools, fresh: Bools, roll: Bools, before: Floats
    ) -> Bools:
        """Takes the believed readings into the state; where the counter went up."""
        s = self.state
        since_us, since_m3 = s.moved_us[i], s.moved_m3[i]
        moved = believed & ~fresh & ((value > before + 1e-9) | roll)
        passed = np.maximum(at - since_us.clip(min=0), SECOND_US)
        used = np.where(roll, 0.0, np.maximum(value - since_m3, 0.0))
        learns = moved & ~roll & ((s.flags[i] & (BIT["stuck"] | BIT["dead"])) == 0)
        weight = 1 - np.exp(-passed / HABIT_US)
        habit = s.habit_m3_s[i]
        s.habit_m3_s[i] = np.where(learns, habit + weight * (used / (passed / SECOND_US) - habit), habit)
        s.still_us[i] = np.where(learns, np.maximum(s.still_us[i], passed), s.still_us[i])
        begins = believed & (fresh | moved)
        s.moved_us[i[begins]], s.moved_m3[i[begins]] = at[begins], value[begins]
        s.last_us[i[believed]], s.last_m3[i[believed]] = at[believed], value[believed]
        s.others[i[believed]] = 0
        return moved

    def _remember(self, i: Ints, at: Ints, seen: Bools) -> None:
        s = self.state
        slot = s.ring_at[i]
        s.ring_us[i[seen], slot[seen]] = at[seen]
        s.ring_at[i[seen]] = (slot[seen] + 1) % RING


def _rolls_over(value: Floats, before: Floats, most: Floats) -> Bools:
    """The counter passed its last digit: what is missing to the capacity and what it shows fit the time."""
    found = np.zeros(len(value), dtype=bool)
    for capacity in CAPACITIES_M3:
        through = value + capacity - before
        found |= (before > 0.9 * capacity) & (before < capacity) & (value < 0.1 * capacity) & (through <= most)
    return found


def _unit_error(value: Floats, before: Floats, most: Floats) -> Bools:
    """A thousand times too much, or too little (rounded to litres, so half a cubic metre is lost)."""
    less, more = value / UNIT - before, value * UNIT - before
    litres = (less >= -TOLERANCE_M3) & (less <= most)
    thousands = (more >= -0.6) & (more <= most + 0.6) & (before > 5)
    return (before > 0.05) & (litres | thousands)


def _rounds(places: Ints) -> tuple[Ints, list[int]]:
    """Rows so that each meter's first ones come first, then the second ones …; where each round ends."""
    count = len(places)
    if count == 0:
        return np.zeros(0, dtype=np.int64), []
    by_meter = np.argsort(places, kind="stable")
    ordered = places[by_meter]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[begins, count])
    rank = np.arange(count) - np.repeat(begins, lengths)
    by_rank = np.argsort(rank, kind="stable")
    return by_meter[by_rank], np.cumsum(np.bincount(rank)).tolist()


@dataclass(frozen=True, slots=True)
class _Found:
    parts: tuple[NDArray[Any], ...]

    @classmethod
    def none(cls) -> _Found:
        return cls(())

    @classmethod
    def of(
        cls, row: Ints, difference: NDArray[np.int32], now: NDArray[np.int32], *facts: Floats
    ) -> _Found:  # fmt: skip
        rows: list[NDArray[Any]] = []
        for kind, bit in BIT.items():
            hit = np.flatnonzero(difference & bit)
            if len(hit):
                rows.append(np.column_stack([row[hit], np.full(len(hit), CODE[kind]), (now[hit] & bit) != 0,
                                             *(fact[hit] for fact in facts)]))  # fmt: skip
        return cls((np.concatenate(rows),))


def _flags(found: Sequence[_Found]) -> Flags:
    parts = [part for each in found for part in each.parts]
    table = np.concatenate(parts) if parts else np.zeros((0, 8))
    table = table[np.lexsort((table[:, 2], table[:, 0]))]  # by reading; of one reading, what clears comes first
    return Flags(
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.int64),
        table[:, 2] != 0,
        *(table[:, n] for n in range(3, 8)),
    )
