"""Sensors that freeze, fail or go astray: told as sensors, and left out of the evidence while they do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from domains.water.leaks.evidence import MODEL_ERROR, Fit, Snapshot
from domains.water.network.arrays import Floats
from domains.water.scada import Channels

ASTRAY_Z = 8.0
BACK_Z = 4.0
LOOKS_OUT, LOOKS_BACK = 2, 4
MOST_OUT = 1 / 3
FLAT_HOURS = 6
LIVELY_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class SensorFault:
    """A sensor left out. quantity: pressure, flow, level, demand. kind: frozen, silent, astray (it contradicts all
    others: drift, a shifted zero, swapped wires). until: when it was believed again, None if it still is not."""

    quantity: str
    channel: str
    kind: str
    since: datetime
    until: datetime | None = None


@dataclass
class Watch:
    """Looks at every channel of a detector."""

    channels: Channels
    faults: list[SensorFault] = field(default_factory=list)
    _open: dict[tuple[int, str], int] = field(default_factory=dict)
    _count: dict[tuple[int, str], int] = field(default_factory=dict)
    _flat: Floats | None = None
    _hours: int = 0
    _quiet: Floats | None = None
    _astray: dict[int, int] = field(default_factory=dict)
    out: set[int] = field(default_factory=set)

    # --- raw hours

    def hour(self, rows: Floats, when: datetime) -> NDArray[np.bool_]:
        """(channels,) which of an hour's values stand still though the channel never does; told after six hours."""
        width = len(self.channels.names)
        if self._flat is None:
            self._flat, self._quiet = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int64)
        assert self._quiet is not None
        still: Floats = np.zeros(width, dtype=bool)
        if len(rows) > 2:
            highest = np.where(np.isfinite(rows), rows, -np.inf).max(axis=0)
            lowest = np.where(np.isfinite(rows), rows, np.inf).min(axis=0)
            still = np.asarray((highest == lowest) & (highest != 0))
        self._hours += 1
        usual = self._quiet > LIVELY_SHARE * max(self._hours, 24)
        self._flat = np.where(still & ~usual, self._flat + 1, 0)
        self._quiet = self._quiet + (still & (self._flat < FLAT_HOURS))
        silent = np.asarray(~np.isfinite(rows).any(axis=0)) if len(rows) else np.ones(width, dtype=bool)
        for column in range(width):
            pressure = column < self.channels.slices["pressure"].stop
            self._tell(column, "frozen", bool(pressure and self._flat[column] >= FLAT_HOURS), when)
            self._count_silence(column, bool(silent[column]), when)
        return still & ~usual

    def _count_silence(self, column: int, silent: bool, when: datetime) -> None:
        key = (column, "silent")
        self._count[key] = self._count.get(key, 0) + 1 if silent else 0
        self._tell(column, "silent", self._count[key] >= 24, when)

    def _tell(self, column: int, kind: str, bad: bool, when: datetime) -> None:
        key = (column, kind)
        if bad and key not in self._open:
            self._open[key] = len(self.faults)
            quantity = next(name for name, part in self.channels.slices.items() if part.start <= column < part.stop)
            self.faults.append(SensorFault(quantity, self.channels.names[column], kind, when))
        elif not bad and key in self._open:
            place = self._open.pop(key)
            self.faults[place] = replace(self.faults[place], until=when)

    # --- residuals

    def look(self, misfit: Floats, columns: list[int], when: datetime) -> None:
        """misfit: (observations,) by how many of its spreads each sensor is off what is explained; NaN unknown."""
        for row, z in enumerate(misfit):
            if not np.isfinite(z):
                continue
            if row in self.out:
                self._astray[row] = self._astray.get(row, 0) - 1 if z < BACK_Z else 0
                if self._astray[row] <= -LOOKS_BACK:
                    self.out.discard(row)
                    self._tell(columns[row], "astray", False, when)
                continue
            self._astray[row] = self._astray.get(row, 0) + 1 if z > ASTRAY_Z else 0
            if self._astray[row] >= LOOKS_OUT and len(self.out) < MOST_OUT * len(columns):
                self.out.add(row)
                self._tell(columns[row], "astray", True, when)


def misfit_of(shot: Snapshot, fit: Fit, along: list[int]) -> Floats:
    """(pressures and flows,) spreads that each is off when `along` and the best pipe explain what they can."""
    rows = len(shot.residual) - shot.zones
    flow = fit.flow[fit.best]
    told = shot.answer[:rows, fit.best] * flow
    beside = shot.answer[:rows][:, along].astype(np.float64)
    left = shot.residual[:rows] - told - beside @ fit.others
    band = shot.variance[:rows] + (3 * MODEL_ERROR) ** 2 * (told**2 + ((beside * fit.others) ** 2).sum(axis=1))
    return np.asarray(np.abs(left) / np.sqrt(band))


def without(shot: Snapshot, rows: list[int]) -> Snapshot:
    """The snapshot with some observations left out."""
    variance = shot.variance.copy()
    variance[rows] = np.inf
    return Snapshot(shot.residual, variance, shot.answer, shot.zones)
