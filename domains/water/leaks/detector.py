"""The detector: fed five-minute rows in order, tells leaks. A year at once is the same steps, one after the other.

Once an hour the balance of every zone is looked at for a jump (a burst, a repair); twice a day the residuals of the
last day are looked at for flow that the book of leaks does not explain. The hydraulic model always runs with the
booked leaks in it, so residuals are what is new. A place is told when it is sure enough to send a crew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from domains.water.leaks.book import REACH_M, Alternative, Finding, Leak, Stage
from domains.water.leaks.calibration import Calibration, calibrate, quiet_hours
from domains.water.leaks.evidence import Fit, Snapshot, best_dig, fit_one_more, posterior
from domains.water.leaks.gaps import mean
from domains.water.leaks.plant import Hour, Moment, Plant, bind, whole_meters
from domains.water.leaks.sensors import ASTRAY_Z, MOST_OUT, SensorFault, Watch, misfit_of, without
from domains.water.network.arrays import Floats, Network
from domains.water.network.distance import PipeDistance
from domains.water.network.hydraulics import State
from domains.water.scada import STEP, Channels

STEPS_AN_HOUR = 12
LEAST_STEPS = 6
"""So many of an hour's twelve steps must have come for its mean to count."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the detector decides. Nothing here knows a network: hours, shares, and sureness.

    confidence: how sure a place must be to be told. crew and water: what a search and a cubic metre cost.
    """

    calibration_days: int = 14
    stride: int = 3
    look_every: int = 12
    window: int = 24
    jump_z: float = 6.0
    jump_wait: tuple[int, ...] = (4, 8, 14, 24)
    confidence: float = 0.7
    steady_looks: int = 2
    correction_cost: float = 30.0
    calm_hours: int = 48
    same_place_cost: float = 8.0
    new_leak_nats: float = 12.0
    least_flow_m3_h: float = 0.4
    water_price_m3: float = 0.80
    crew_price: float = 500.0


@dataclass(slots=True)
class Kept:
    """A solved hour: its moment, answers by pipe, and the booked flow of every pipe when it was solved."""

    residual: Floats
    answer: Floats
    booked: Floats


@dataclass(slots=True)
class Jump:
    """A sudden change of a zone's balance: hour of the first changed mean, size, and what was made of it."""

    hour: int
    zone: int
    size_m3_h: float
    leak: Leak | None = None
    looked: int = 0


@dataclass
class Detector:
    """Stateful; `step` takes one row and returns the findings it leads to (mostly none)."""

    network: Network
    channels: Channels
    begin: datetime
    rules: Rules = field(default_factory=Rules)
    plant: Plant = field(init=False)
    calibration: Calibration | None = None
    findings: list[Finding] = field(default_factory=list)
    book: list[Leak] = field(default_factory=list)
    _rows: list[Floats] = field(default_factory=list)
    _levels: Floats | None = None
    _hours: dict[int, Hour] = field(default_factory=dict)
    _kept: dict[int, Kept] = field(default_factory=dict)
    _balance: dict[int, Floats] = field(default_factory=dict)
    _jumps: list[Jump] = field(default_factory=list)
    _settled_at: int = 0
    _told: int = 0
    _leaks: int = 0

    def __post_init__(self) -> None:
        self.plant = bind(self.network, self.channels)
        self.pipes = self.network.pipes
        self.pipe_names = [self.network.links[row].name for row in self.pipes]
        lengths = np.array([self.network.links[row].length_m for row in self.pipes])
        self.distance = PipeDistance(self.network.links).matrix(self.pipe_names)
        self._a, self._b = self.network.start[self.pipes], self.network.end[self.pipes]
        self.zone_of_pipe = self.plant.zone_of[self._b]
        self.prior = self._prior(lengths)
        self._state: State | None = None
        self._hour = -1
        observations = sum(self.plant.sizes)
        self.offset = np.zeros(observations)
        self.watch = Watch(self.channels)
        self._seen_columns = [int(n) for n in (*self.plant.pressure_columns, *self.plant.flow_columns)]
        self._event_at = {zone.number: -(10**6) for zone in self.plant.zones}

    def _prior(self, lengths: Floats) -> Floats:
        """(pipes,) longer pipes leak more often; what lies before the meters, or is one, no meter can tell."""
        prior = np.sqrt(np.maximum(lengths, 1.0))
        balanced = np.array([zone.balanced for zone in self.plant.zones])
        if balanced.any():
            ends = self.plant.zone_of[self._a], self.plant.zone_of[self._b]
            prior = np.where(balanced[ends[0]] & (ends[0] == ends[1]), prior, 0.0)
            prior[np.isin(self.pipes, self.plant.flow_links)] = 0.0
        self.possible = prior > 0
        return np.asarray(prior / prior.sum())

    # --- feeding

    def step(self, when: datetime, row: Floats) -> list[Finding]:
        """Takes the values of one five-minute step, in the order of `channels.names`; NaN is a gap."""
        position = round((when - self.begin) / STEP)
        hour = position // STEPS_AN_HOUR
        if hour < self._hour:
            return []  # a clock that jumped back: what was counted is not counted again
        found: list[Finding] = []
        if hour > self._hour:
            found = self._close_hours(hour)
        self._rows.append(row)
        return found

    def finish(self) -> list[Finding]:
        """Closes the last hour, as the next row would."""
        return self._close_hours(self._hour + 1)

    def run(self, steps: Iterator[tuple[datetime, Floats]]) -> list[Finding]:
        """All steps, then the end."""
        for when, row in steps:
            self.step(when, row)
        self.finish()
        return self.findings

    def time(self, hour: int) -> datetime:
        return self.begin + timedelta(hours=hour)

    def _close_hours(self, upto: int) -> list[Finding]:
        """Ends the hour in progress; hours without a row are gaps."""
        before = len(self.findings)
        if self._hour >= 0:
            self._end_hour(self._hour, np.array(self._rows))
            if upto > self._hour + 1:
                self._levels = None
        self._hour, self._rows = upto, []
        return self.findings[before:]

    def _end_hour(self, number: int, rows: Floats) -> None:
        width = len(self.channels.names)
        values = np.full(width, np.nan)
        if len(rows) >= LEAST_STEPS:
            enough = np.isfinite(rows).sum(axis=0) >= LEAST_STEPS
            values[enough] = mean(rows[:, enough])
        still = self.watch.hour(rows, self.time(number + 1))
        still[self.channels.slices["pressure"].stop :] = False  # a tank may stand still, and so may a rate
        values[still] = np.nan
        levels = rows[-1, self.channels.slices["level"]] if len(rows) else np.full(len(self.channels.level), np.nan)
        fall = np.full(len(self.network.tanks), np.nan)
        for tank, column in enumerate(self.plant.tank_columns):
            place = column - self.channels.slices["level"].start
            if column >= 0 and self._levels is not None and len(rows) == STEPS_AN_HOUR:
                fall[tank] = self._levels[place] - levels[place]
        self._levels = levels if len(rows) == STEPS_AN_HOUR else None
        courses = self.plant.courses(values, number * 3600.0)
        self._take(Hour(number, values, fall, courses))

    def _take(self, hour: Hour) -> None:
        if self.calibration is None:
            self._hours[hour.number] = hour
            if hour.number + 1 >= self.rules.calibration_days * 24:
                self._calibrate()
            return
        self._hours[hour.number] = hour
        self._watch(hour)
        for old in [n for n in self._hours if n < hour.number - 3 * 24]:
            self._hours.pop(old)
            self._kept.pop(old, None)

    def _calibrate(self) -> None:
        waiting = [self._hours[n] for n in sorted(self._hours)]
        meters = np.array([hour.values[self.channels.slices["demand"]] for hour in waiting])
        self.plant.whole = whole_meters(self.plant, mean(meters))
        usable = [hour for hour in waiting if np.isfinite(hour.values[self.plant.flow_columns]).all()]
        self.calibration = calibrate(self.plant, usable[: quiet_hours(self.plant, usable)])
        self._hours.clear()
        for hour in waiting:
            self._hours[hour.number] = hour
            self._watch(hour)

    # --- one hour

    def _watch(self, hour: Hour) -> None:
        number = hour.number
        self._balance[number] = self.plant.balance(hour, self.plant.draws(hour))
        self._balance.pop(number - 24 * 40, None)
        if number % self.rules.stride == 0:
            self._solved(number)
        self._look_for_jumps(number)
        for jump in list(self._jumps):
            self._look_at_jump(jump, number)
        if number % self.rules.look_every == self.rules.look_every - 1:
            self._look_around(number)

    def _booked(self) -> Floats:
        """(pipes,) m³/h of the leaks in the book."""
        flows = np.zeros(len(self.pipes))
        for leak in self.running:
            flows[leak.pipe] += leak.flow_m3_h
        return flows

    @property
    def running(self) -> list[Leak]:
        return [leak for leak in self.book if leak.stage is not Stage.ENDED]

    def _solve(self, number: int, flows: Floats) -> Kept:
        hour = self._hours[number]
        leaks = np.bincount(self._a, weights=flows / 2, minlength=len(self.network.nodes))
        leaks += np.bincount(self._b, weights=flows / 2, minlength=len(self.network.nodes))
        moment: Moment = self.plant.moment(hour, leaks, self._state)
        self._state = moment.state
        answer = (moment.answer[:, self._a] + moment.answer[:, self._b]) / 2
        return Kept(moment.residual, answer, flows.copy())

    def _solved(self, number: int) -> Kept:
        """The hour, solved with about the leaks that are booked now."""
        flows = self._booked()
        kept = self._kept.get(number)
        if kept is None or np.abs(kept.booked - flows).sum() > 1.0 + 0.03 * flows.sum():
            kept = self._kept[number] = self._solve(number, flows)
        return kept

    def _snapshot(self, hours: list[int], fresh: bool = True) -> Snapshot:
        """Means over hours, against the book of now; `fresh`: solved with about that book."""
        flows = self._booked()
        pressures, links, zones = self.plant.sizes
        residuals: list[Floats] = []
        answers: Floats = np.zeros(1)
        for number in hours:
            kept = self._solved(number) if fresh else self._kept[number]
            residuals.append(kept.residual - kept.answer @ (flows - kept.booked))
            answers = answers + kept.answer
        table = np.array(residuals)
        counts = np.isfinite(table).sum(axis=0)
        residual = mean(table)
        # The balance is known of every hour, solved or not.
        booked = np.bincount(self.zone_of_pipe, weights=flows, minlength=zones)
        every = [n for n in range(min(hours), max(hours) + 1) if n in self._balance]
        balances = np.array([self._balance[n] for n in every]) - booked
        told = np.isfinite(balances).sum(axis=0)
        residual[pressures + links :] = mean(balances.reshape(-1, zones))
        counts[pressures + links :] = told
        assert self.calibration is not None
        spread = self.calibration.hour_spread**2 / np.maximum(counts, 1) + self.calibration.day_spread**2
        variance = np.where(counts > 0, spread, np.inf)
        variance[list(self.watch.out)] = np.inf
        answer = np.where(self.possible, answers / len(hours), 0.0)
        return Snapshot(residual - self.offset, variance, answer, zones)

    def _hours_between(self, first: int, last: int, every: bool = False) -> list[int]:
        """Numbers of the hours with values that lie between, both included; every third unless `every`."""
        return [
            n
            for n in range(first, last + 1)
            if n in self._hours and (every or n % self.rules.stride == 0) and self._has_values(n)
        ]

    def _has_values(self, number: int) -> bool:
        values = self._hours[number].values
        return bool(np.isfinite(values[self.plant.pressure_columns]).any())

    # --- sudden changes

    def _look_for_jumps(self, number: int) -> None:
        assert self.calibration is not None
        pressures, links, _ = self.plant.sizes
        for zone in self.plant.zones:
            if not zone.balanced or number - self._event_at[zone.number] < 8:
                continue
            z = zone.number
            spread = self.calibration.tail_spread[pressures + links + z]
            after = self._means(z, number - 2, number)
            before = self._means(z, number - 6, number - 3)
            if after is None or before is None:
                continue
            size = after - before
            if abs(size) > self.rules.jump_z * spread * np.sqrt(1 / 3 + 1 / 4) + 3 * 8 * self._rate(z):
                hour = self._sharpest(z, number)
                if hour is not None:
                    self._event_at[z] = hour
                    self._jumps.append(Jump(hour, z, size))

    def _rate(self, zone: int) -> float:
        """m³/h an hour by which the growing leaks of a zone grew between the last two looks."""
        rates = [
            (leak.course[-1][1] - leak.course[-2][1]) / max(1, leak.course[-1][0] - leak.course[-2][0])
            for leak in self._growers()
            if leak.zone == zone and len(leak.course) > 1
        ]
        return max([0.0, *rates])

    def _means(self, zone: int, first: int, last: int) -> float | None:
        values = [self._balance[n][zone] for n in range(first, last + 1) if n in self._balance]
        good = [value for value in values if np.isfinite(value)]
        return float(np.mean(good)) if len(good) * 2 > (last - first + 1) else None

    def _sharpest(self, zone: int, number: int) -> int | None:
        """The hour at which a step fits the last hours best; None when a steady slope fits them better."""
        first = number - 7
        nothing = np.full(len(self.plant.zones), np.nan)
        values = np.array([self._balance.get(n, nothing)[zone] for n in range(first, number + 1)])
        good = np.isfinite(values)
        hours = np.arange(len(values))[good]
        values = values[good]
        if len(values) < 6:
            return None
        slope = values - np.polyval(np.polyfit(hours, values, 1), hours)
        best: tuple[float, int] | None = None
        for cut in range(2, len(values) - 1):
            # The hour of the step itself holds some of both: it is left out of either side.
            left, right = values[:cut], values[cut + 1 :]
            cost = float(((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum())
            cost *= len(values) / (len(values) - 1)
            if best is None or cost < best[0]:
                best = (cost, int(hours[cut]))
        assert best is not None
        return first + best[1] if best[0] < 0.5 * float((slope**2).sum()) else None

    def _look_at_jump(self, jump: Jump, number: int) -> None:
        waits = self.rules.jump_wait
        if jump.looked >= len(waits):
            self._jumps.remove(jump)
            return
        later = [
            other for other in self._jumps if other is not jump and other.hour > jump.hour and other.zone == jump.zone
        ]
        if later and jump.looked:
            self._jumps.remove(jump)
            return
        if number - jump.hour + 1 < waits[jump.looked] and not later:
            return
        last = min([other.hour - 1 for other in later], default=number)
        jump.looked += 1
        if jump.size_m3_h > 0:
            self._burst(jump, last, number)
        elif jump.looked == 1:
            self._repair(jump, last, number)
            jump.looked = len(waits)

    def _difference(self, jump: Jump, last: int, half: tuple[int, float] | None) -> Snapshot | None:
        """After minus before a jump, answers taken half-way (a leak's pattern grows with its flow)."""
        earlier = [other for other in self._event_at.values() if other < jump.hour]
        first = max([jump.hour - 12, *[hour + 1 for hour in earlier if hour > jump.hour - 12]])
        before = self._hours_between(first, jump.hour - 2)
        after = self._hours_between(jump.hour + 1, last, every=last - jump.hour < 10)
        if not before:
            before = self._hours_between(jump.hour - 5, jump.hour - 2, every=True)
        if not before or not after:
            return None
        one = self._snapshot(before)
        if half is not None:
            self._with_half(after, half)
        two = self._snapshot(after, fresh=half is None)
        return Snapshot(two.residual - one.residual, two.variance + one.variance, two.answer, two.zones)

    def _with_half(self, hours: list[int], half: tuple[int, float]) -> None:
        flows = self._booked()
        flows[half[0]] += half[1]
        for number in hours:
            kept = self._solve(number, flows)
            self._kept[number] = kept

    def _growers(self) -> list[Leak]:
        return [leak for leak in self.running if leak.growing]

    def _burst(self, jump: Jump, last: int, number: int) -> None:
        """Places what came with a jump; looked at again as hours are added, from scratch but for the half-way flow."""
        leak = jump.leak
        if leak is not None and leak.stage is Stage.ENDED:
            jump.looked = len(self.rules.jump_wait)
            return
        booked = 0.0 if leak is None else leak.flow_m3_h
        if leak is not None:
            leak.flow_m3_h = 0.0
        shot, fit = self._placed(jump, last, booked)
        for hour in self._hours_between(jump.hour, number, every=True):
            self._kept.pop(hour, None)
        if shot is None or fit is None or fit.gain[fit.best] < 2 * self.rules.new_leak_nats:
            if leak is not None:
                leak.flow_m3_h = booked
            return
        if leak is None:
            known = self._same_place(fit, [one for one in self.running if one.zone == jump.zone])
            if known is not None:
                self._wake(known)
                known.flow_m3_h += float(fit.flow[known.pipe])
                jump.looked = len(self.rules.jump_wait)
                return
            leak = self._enter(fit.best, jump.hour, float(fit.flow[fit.best]), growing=False)
            leak.abrupt_at, jump.leak = jump.hour, leak
        self._place(leak, fit)
        leak.flow_m3_h = float(fit.flow[leak.pipe])
        leak.flow_spread_m3_h = self._flow_spread(leak)
        if last - jump.hour >= 12:
            self._correct(leak, shot)
        self._tell_if_sure(leak, number)

    def _placed(self, jump: Jump, last: int, booked: float) -> tuple[Snapshot | None, Fit | None]:
        """The change and its fit; a first look is repeated half-way to the flow that it finds."""
        growers = [leak for leak in self._growers() if leak is not jump.leak]
        along = [leak.pipe for leak in growers]
        slack = [0.3 + 0.03 * leak.flow_m3_h for leak in growers]
        shot = self._difference(jump, last, None if jump.leak is None else (jump.leak.pipe, booked / 2))
        if shot is None:
            return None, None
        fit = fit_one_more(shot, along, slack)
        for _ in range(2 if jump.leak is None else 0):
            again = self._difference(jump, last, (fit.best, float(fit.flow[fit.best]) / 2))
            if again is None:
                break
            shot, fit = again, fit_one_more(again, along, slack)
        return shot, fit

    def _same_place(self, fit: Fit, leaks: list[Leak]) -> Leak | None:
        """The booked leak in whose pipe more flow explains as much as in the best pipe."""
        leaks = [leak for leak in leaks if fit.flow[leak.pipe] != 0]
        if not leaks:
            return None
        nearest = min(leaks, key=lambda leak: fit.cost[leak.pipe])
        worse = (fit.cost[nearest.pipe] - fit.cost[fit.best]) / max(1.0, fit.chi2)
        return nearest if worse < self.rules.same_place_cost else None

    def _correct(self, leak: Leak, shot: Snapshot) -> None:
        """What the model gets wrong of this leak's pattern becomes part of the offset, as long as it runs."""
        rows = len(self.offset) - shot.zones
        missed = shot.residual - shot.answer[:, leak.pipe] * leak.flow_m3_h
        missed[rows:] = 0.0
        missed = np.where(np.isfinite(missed), missed, 0.0)
        old = leak.correction if len(leak.correction) else np.zeros(len(missed))
        self.offset += missed - old
        leak.correction = missed

    def _repair(self, jump: Jump, last: int, number: int) -> None:
        shot = self._difference(jump, last, None)
        if shot is None:
            return
        assert self.calibration is not None
        pressures, links, _ = self.plant.sizes
        spread = float(self.calibration.hour_spread[pressures + links + jump.zone])
        fell = -float(shot.residual[pressures + links + jump.zone])
        inside = [leak for leak in self.running if self.zone_of_pipe[leak.pipe] == jump.zone]
        best: tuple[float, Leak] | None = None
        for leak in inside:
            off = abs(leak.flow_m3_h - fell)
            if off > 0.3 * max(fell, leak.flow_m3_h) + 3 * spread:
                continue
            cost = self._gone_cost(shot, leak, fell) + (off / (0.05 * fell + spread)) ** 2
            if best is None or cost < best[0]:
                best = (cost, leak)
        if best is not None:
            self._end(best[1], jump.hour)
        self._kept = {n: kept for n, kept in self._kept.items() if n < jump.hour}

    def _gone_cost(self, shot: Snapshot, leak: Leak, fell: float) -> float:
        """Misfit of the change with this leak's pattern taken away, in the leak's own pipe."""
        good = shot.good.copy()
        good[len(good) - shot.zones :] = False
        pattern = -shot.answer[good, leak.pipe] * fell
        missed = shot.residual[good] - pattern
        if len(leak.correction):
            missed = missed + leak.correction[good]
        variance = shot.variance[good] + (3 * 0.05 * pattern) ** 2
        return float((missed**2 / variance).sum() / max(1, good.sum())) * 4

    def _end(self, leak: Leak, hour: int) -> None:
        leak.stage, leak.ended_at, leak.growing = Stage.ENDED, hour, False
        if len(leak.correction):
            self.offset -= leak.correction
        for n, finding in enumerate(self.findings):
            if finding.number == leak.number and finding.ended_at is None:
                self.findings[n] = _ended(finding, self.time(hour))

    # --- slow changes

    def _look_around(self, number: int) -> None:
        event = max(self._event_at.values())
        first = max(number - self.rules.window + 1, event + 1)
        if self._jumps and any(jump.looked == 0 for jump in self._jumps):
            return
        hours = self._hours_between(first, number)
        if len(hours) < 2:
            return
        shot = self._refit(hours)
        for leak in self._growers():
            self._look_again(leak, shot, number)
        shot = self._refit(hours)
        if not self._jumps and self._something_new(shot, number):
            shot = self._refit(hours)
            for leak in self._growers():
                if leak.stage is Stage.TENTATIVE:
                    self._look_again(leak, shot, number)
        for leak in self.running:
            leak.course.append((number, leak.flow_m3_h))
        for leak in self._growers():
            self._tell_if_sure(leak, number)
            self._settle(leak, shot, number)

    def _slack(self, leaks: list[Leak]) -> list[float]:
        return [0.5 + 0.3 * leak.flow_m3_h for leak in leaks]

    def _refit(self, hours: list[int]) -> Snapshot:
        """Flows of the growing leaks anew; the residuals that are left then."""
        for _ in range(2):
            shot = self._snapshot(hours)
            growers = self._growers()
            if not growers:
                return shot
            fit = fit_one_more(shot, [leak.pipe for leak in growers], self._slack(growers))
            for leak, change in zip(growers, fit.others, strict=True):
                leak.flow_m3_h = max(0.0, leak.flow_m3_h + float(change))
        return self._snapshot(hours)

    def _something_new(self, shot: Snapshot, number: int) -> bool:
        growers = self._growers()
        along, slack = [leak.pipe for leak in growers], self._slack(growers)
        fit = self._without_strays(shot, along, slack, number)
        best, temper = fit.best, max(1.0, fit.chi2)
        unsure = sum(leak.stage is Stage.TENTATIVE for leak in growers)
        wanted = self.rules.new_leak_nats * (1 + unsure)
        if 0.5 * fit.gain[best] / temper < wanted or fit.flow[best] < self.rules.least_flow_m3_h:
            return self._shrunk(shot, number)
        known = self._same_place(fit, [leak for leak in self.running if not leak.growing])
        if known is not None:
            self._wake(known)
            return True
        if self._same_place(fit, growers) is not None:
            return False
        leak = self._enter(best, number - self.rules.window, float(fit.flow[best]), growing=True)
        self._place(leak, fit)
        leak.start = self._likely_start(leak, number)
        return True

    def _without_strays(self, shot: Snapshot, along: list[int], slack: list[float], number: int) -> Fit:
        """The fit of one more leak without the sensors that contradict it; these are counted as astray.

        Only in calm times: beside leaks that are not placed yet, it is the book that is wrong and not a sensor.
        """
        if along or number - max(self._event_at.values()) < self.rules.calm_hours:
            return fit_one_more(shot, along, slack)
        out: list[int] = []
        while True:
            fit = fit_one_more(without(shot, out), along, slack)
            misfit = misfit_of(shot, fit, along)
            misfit[~np.isfinite(shot.variance[: len(misfit)])] = np.nan
            left = np.where(np.isfinite(misfit), misfit, 0.0)
            left[out] = 0.0
            if not len(left) or left.max() < ASTRAY_Z or len(out) >= MOST_OUT * len(left):
                break
            out.append(int(np.argmax(left)))
        if self.watch.out:
            known = Snapshot(shot.residual, self._usual_variance(shot), shot.answer, shot.zones)
            again = misfit_of(known, fit, along)
            misfit[list(self.watch.out)] = again[list(self.watch.out)]
        self.watch.look(misfit, self._seen_columns, self.time(number + 1))
        return fit

    def _usual_variance(self, shot: Snapshot) -> Floats:
        assert self.calibration is not None
        usual = self.calibration.hour_spread**2 / 8 + self.calibration.day_spread**2
        return np.where(np.isfinite(shot.variance), shot.variance, usual)

    def _shrunk(self, shot: Snapshot, number: int) -> bool:
        """A settled leak whose flow fell without a jump that could be seen."""
        growers = self._growers()
        settled = [leak for leak in self.running if not leak.growing]
        if not settled:
            return False
        fit = fit_one_more(shot, [leak.pipe for leak in growers], self._slack(growers), -1.0)
        fallen = min(settled, key=lambda leak: fit.cost[leak.pipe])
        gain = 0.5 * fit.gain[fallen.pipe] / max(1.0, fit.chi2)
        if gain < self.rules.new_leak_nats or fit.flow[fallen.pipe] > -self.rules.least_flow_m3_h:
            return False
        self._wake(fallen)
        return True

    def _wake(self, leak: Leak) -> None:
        leak.growing = True
        leak.course.clear()

    def _look_again(self, leak: Leak, shot: Snapshot, number: int) -> None:
        """The place of a growing leak, from all of its flow, with the other growing leaks moving beside it."""
        leak.seen += 1
        if leak.flow_m3_h < 0.1:
            if leak.seen > 4:
                self._end(leak, number)
            return
        others = [other for other in self._growers() if other is not leak]
        bare, along = self._without(leak, shot), [other.pipe for other in others]
        fit = fit_one_more(bare, along, self._slack(others))
        self._place(leak, fit)
        leak.flow_spread_m3_h = self._flow_spread(leak)
        if leak.stage is Stage.TOLD:
            self._take_back(leak, fit, shot, number)

    def _without(self, leak: Leak, shot: Snapshot) -> Snapshot:
        """The residuals as if the leak were not in the book."""
        more = shot.answer[:, leak.pipe].astype(np.float64) * leak.flow_m3_h
        if len(leak.correction):
            more = more + leak.correction
        return Snapshot(shot.residual + more, shot.variance, shot.answer, shot.zones)

    def _settle(self, leak: Leak, shot: Snapshot, number: int) -> None:
        """A leak whose flow has stood still for days is left alone, its pattern's misfit taken into the offset."""
        past = [flow for hour, flow in leak.course if hour >= number - 24 * 6]
        if leak.stage is not Stage.TOLD or len(past) < 10 or leak.course[0][0] > number - 24 * 6:
            return
        if max(past) - min(past) > 0.03 * leak.flow_m3_h + 0.15:
            return
        leak.growing = False
        if not self._growers():
            self._correct(leak, self._without(leak, shot))

    # --- placing and telling

    def _enter(self, pipe: int, start: int, flow: float, growing: bool) -> Leak:
        self._leaks += 1
        leak = Leak(self._leaks, pipe, int(self.zone_of_pipe[pipe]), start, flow, growing, np.zeros(0))
        self.book.append(leak)
        return leak

    def _place(self, leak: Leak, fit: Fit) -> None:
        leak.weight = posterior(fit.cost, self.prior, fit.chi2)
        choice = best_dig(leak.weight, self.distance, REACH_M)
        leak.sure = choice.sure
        near = leak.last_choice >= 0 and self.distance[choice.pipe, leak.last_choice] <= REACH_M / 2
        leak.steady = leak.steady + 1 if near and choice.sure >= self.rules.confidence else 0
        leak.last_choice = choice.pipe
        temper = max(1.0, fit.chi2)
        if leak.stage is Stage.TOLD:
            # What was told stays near its place; flow far from it is another leak, unless the book says otherwise.
            near = self.distance[leak.told_pipe] <= REACH_M
            top = int(np.argmax(np.where(near, leak.weight, -1.0)))
        else:
            top = int(np.argmax(leak.weight))
        if top != leak.pipe and (fit.cost[leak.pipe] - fit.cost[top]) / temper > 1.0:
            leak.pipe, leak.zone = top, int(self.zone_of_pipe[top])
            if fit.flow[top] > 0:
                leak.flow_m3_h = float(fit.flow[top])

    def _take_back(self, leak: Leak, fit: Fit, shot: Snapshot, number: int) -> None:
        """Tells a told leak at another place when the evidence moved far away and no second leak explains that."""
        choice = best_dig(leak.weight, self.distance, REACH_M)
        if (
            self.distance[choice.pipe, leak.told_pipe] <= REACH_M
            or (fit.cost[leak.pipe] - fit.cost[fit.best]) / max(1.0, fit.chi2) < self.rules.correction_cost
            or leak.steady < self.rules.steady_looks
            or leak.flow_m3_h < self._least_flow(leak)
        ):
            return
        growers = self._growers()
        two = fit_one_more(shot, [other.pipe for other in growers], self._slack(growers))
        left = leak.flow_m3_h + float(two.others[growers.index(leak)])
        if (fit.cost[fit.best] - two.cost[two.best]) / max(1.0, two.chi2) < 8.0 or left < 0.2 * leak.flow_m3_h:
            leak.pipe, leak.zone = fit.best, int(self.zone_of_pipe[fit.best])
            leak.flow_m3_h = float(fit.flow[fit.best])
            self._tell(leak, number, choice.pipe, corrects=leak.number)

    def _flow_spread(self, leak: Leak) -> float:
        assert self.calibration is not None
        pressures, links, _ = self.plant.sizes
        known = self.calibration.day_spread[pressures + links + leak.zone]
        return (
            float(min(known, 0.3 * leak.flow_m3_h) + 0.03 * leak.flow_m3_h)
            if np.isfinite(known)
            else (0.3 * leak.flow_m3_h)
        )

    def _likely_start(self, leak: Leak, number: int) -> int:
        """Backwards from now to where the zone's unexplained balance was last below its spread."""
        assert self.calibration is not None
        pressures, links, _ = self.plant.sizes
        spread = self.calibration.day_spread[pressures + links + leak.zone]
        booked = sum(other.flow_m3_h for other in self.running if other.zone == leak.zone and other is not leak)
        if not np.isfinite(spread):
            return number - self.rules.window
        day = number
        while day - 24 >= min(self._balance):
            unexplained = self._means(leak.zone, day - 23, day)
            if unexplained is None or unexplained - booked < 2 * spread:
                break
            day -= 6
        return day - 12

    def _least_flow(self, leak: Leak) -> float:
        """What the model gets wrong of the leaks that run may look like a small leak; told is what is clearly more."""
        others = [other for other in self.running if other is not leak]
        doubt = sum((0.05 if other.growing else 0.02) * other.flow_m3_h for other in others)
        return self.rules.least_flow_m3_h + doubt

    def _tell_if_sure(self, leak: Leak, number: int) -> None:
        if leak.stage is not Stage.TENTATIVE or leak.flow_m3_h < self._least_flow(leak):
            return
        if leak.steady < (1 if leak.abrupt_at >= 0 else self.rules.steady_looks):
            return
        choice = best_dig(leak.weight, self.distance, REACH_M)
        if choice.sure >= self.rules.confidence:
            self._tell(leak, number, choice.pipe)

    def _tell(self, leak: Leak, number: int, pipe: int, corrects: int | None = None) -> None:
        leak.stage, leak.told_pipe = Stage.TOLD, pipe
        self.findings.append(self._finding(leak, self.time(number + 1), pipe, corrects))

    def sensor_faults(self) -> list[SensorFault]:
        """Sensors that were left out, as long as they were."""
        return list(self.watch.faults)

    def restate(self, when: datetime) -> list[Finding]:
        """The told leaks that run now, told again at `when` with what is known of them by now."""
        told = sorted((leak for leak in self.running if leak.stage is Stage.TOLD), key=lambda leak: leak.number)
        return [
            self._finding(leak, when, best_dig(leak.weight, self.distance, REACH_M).pipe)
            for leak in told
            if leak.flow_m3_h >= self.rules.least_flow_m3_h
        ]

    def _finding(self, leak: Leak, when: datetime, pipe: int, corrects: int | None = None) -> Finding:
        flow, spread = leak.flow_m3_h, 1.645 * leak.flow_spread_m3_h
        low, high, day = max(0.0, flow - spread), flow + spread, 24 * self.rules.water_price_m3
        near = [n for n in np.argsort(-leak.weight)[:40] if n != pipe and leak.weight[n] > 1e-3]
        return Finding(
            number=leak.number,
            seen_at=when,
            started_at=self.time(leak.start),
            pipe=self.pipe_names[pipe],
            confidence=float(min(leak.sure, 0.99)),
            leak_m3_h=flow,
            leak_low_m3_h=low,
            leak_high_m3_h=high,
            cost_day=flow * day,
            cost_day_low=low * day,
            cost_day_high=high * day,
            alternatives=tuple(
                Alternative(self.pipe_names[n], float(leak.weight[n]), float(self.distance[pipe, n]))
                for n in near
                if self.distance[pipe, n] <= REACH_M
            ),
            corrects=corrects,
        )


def _ended(finding: Finding, when: datetime) -> Finding:
    from dataclasses import replace

    return replace(finding, ended_at=when)
