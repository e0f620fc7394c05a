"""What a list of detections would have earned: the economics of the contest BattLeDIM 2020.

A detection finds a leak when it is told between the leak's start and its repair, and the pipe told lies at most 300 m
(along the pipes, between pipe middles) from the leaking one. It earns the water from the detection to the repair at
0.80 EUR/m³, less a crew's search: 500 EUR × distance / 300 m. Detections are taken in order of time; one that could
find several leaks finds the nearest that was not found before. A leak found again earns 0. One that finds nothing
costs a crew, 500 EUR. Detections before the first step of the flow series are left out.
Source: S. G. Vrachimis et al., "Battle of the Leakage Detection and Isolation Methods", J. Water Resour. Plann.
Manage. 148(12), 2022, and the rules of the contest (KIOS Research Center).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

MAX_DISTANCE_M = 300.0
WATER_EUR_M3 = 0.80
CREW_EUR = 500.0
HOURS_A_STEP = 1 / 12
"""The flows are m³/h at steps of five minutes."""


class ScoreInputError(ValueError):
    """A file cannot be scored; the text names file, field and value."""


@dataclass(frozen=True, slots=True)
class TrueLeak:
    """A leak as it was: its flow (m³/h) at every step of `times` that the scoring is given."""

    pipe: str
    start: datetime
    end: datetime
    flow_m3_h: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """A detection: this pipe leaks, said at this time."""

    pipe: str
    detected_at: datetime


@dataclass(frozen=True, slots=True)
class LeakResult:
    """How one true leak fared; `eur` is what its detection earned, `perfect_eur` what one at its start would have."""

    pipe: str
    perfect_eur: float
    found_as: str | None = None
    detected_at: datetime | None = None
    delay_hours: float | None = None
    distance_m: float | None = None
    saved_m3: float = 0.0
    eur: float = 0.0

    def as_row(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Score:
    """The whole list scored. again: leaks told twice; ignored: detections before the flows."""

    leaks: tuple[LeakResult, ...]
    false_alarms: tuple[Told, ...]
    again: int
    ignored: int
    eur: float
    perfect_eur: float = field(default=0.0)

    @property
    def found(self) -> int:
        return sum(leak.found_as is not None for leak in self.leaks)

    @property
    def false_crews(self) -> int:
        return len(self.false_alarms)

    def as_dict(self) -> dict[str, Any]:
        return {
            "found": self.found,
            "leaks_total": len(self.leaks),
            "missed": len(self.leaks) - self.found,
            "false_crews": self.false_crews,
            "again": self.again,
            "ignored": self.ignored,
            "eur": round(self.eur, 2),
            "perfect_eur": round(self.perfect_eur, 2),
            "leaks": [leak.as_row() for leak in self.leaks],
            "false_alarms": [asdict(one) for one in self.false_alarms],
        }


def score(
    detections: Sequence[Told],
    leaks: Sequence[TrueLeak],
    times: Sequence[datetime],
    distance_m: Callable[[str, str], float],
) -> Score:
    """Scores detections; `times` are the steps of every leak's flow, ascending, five minutes apart."""
    stamps = np.array(times, dtype="datetime64[us]")
    results = [LeakResult(leak.pipe, _saved(leak, leak.start, stamps) * WATER_EUR_M3) for leak in leaks]
    counted = sorted(
        (one for one in detections if np.datetime64(one.detected_at, "us") >= stamps[0]),
        key=lambda one: one.detected_at,
    )
    found: set[int] = set()
    false_alarms: list[Told] = []
    again = 0
    for one in counted:
        reach = {
            number: far
            for number, leak in enumerate(leaks)
            if leak.start <= one.detected_at <= leak.end and (far := distance_m(one.pipe, leak.pipe)) <= MAX_DISTANCE_M
        }
        fresh = {number: far for number, far in reach.items() if number not in found}
        if not reach:
            false_alarms.append(one)
        elif not fresh:
            again += 1
        else:
            number = min(fresh, key=lambda each: (fresh[each], each))
            found.add(number)
            results[number] = _found(leaks[number], results[number].perfect_eur, one, fresh[number], stamps)
    return Score(
        leaks=tuple(results),
        false_alarms=tuple(false_alarms),
        again=again,
        ignored=len(detections) - len(counted),
        eur=sum(result.eur for result in results) - CREW_EUR * len(false_alarms),
        perfect_eur=sum(result.perfect_eur for result in results),
    )


def _found(leak: TrueLeak, perfect_eur: float, told: Told, far: float, stamps: NDArray[np.datetime64]) -> LeakResult:
    saved = _saved(leak, told.detected_at, stamps)
    return LeakResult(
        pipe=leak.pipe,
        perfect_eur=perfect_eur,
        found_as=told.pipe,
        detected_at=told.detected_at,
        delay_hours=(told.detected_at - leak.start).total_seconds() / 3600,
        distance_m=far,
        saved_m3=saved,
        eur=saved * WATER_EUR_M3 - CREW_EUR * far / MAX_DISTANCE_M,
    )


def _saved(leak: TrueLeak, since: datetime, stamps: NDArray[np.datetime64]) -> float:
    """m³ that the leak loses from the step of `since` to its repair, both ends included."""
    running = (stamps >= np.datetime64(since, "us")) & (stamps <= np.datetime64(leak.end, "us"))
    return float(leak.flow_m3_h[running].sum()) * HOURS_A_STEP


# --- files


def score_files(network: Path, truth: Path, flows: Path, detections: Path) -> Score:
    """Scores a CSV `pipe,detected_at,…` against `pipe,start,end,…` and the leaks' flows (parquet, a column a pipe).

    ScoreInputError says what is wrong with which file.
    """
    import wntr

    from domains.water.network.distance import PipeDistance, links_of

    distance = PipeDistance(links_of(wntr.network.WaterNetworkModel(str(network))))
    series = _frame(flows, ["timestamp"])
    leaks = [_leak(row, series, truth, flows) for row in _frame(truth, ["pipe", "start", "end"]).to_dicts()]
    told = [
        Told(str(row["pipe"]), _time(row["detected_at"], detections))
        for row in _frame(detections, ["pipe", "detected_at"]).to_dicts()
    ]
    for pipe, where in [*((one.pipe, detections) for one in told), *((leak.pipe, truth) for leak in leaks)]:
        if pipe not in distance.links:
            raise ScoreInputError(f"{where}: pipe {pipe!r} is not in {network.name}")
    return score(told, leaks, series["timestamp"].to_list(), distance.between)


def _leak(row: dict[str, Any], series: pl.DataFrame, truth: Path, flows: Path) -> TrueLeak:
    pipe = str(row["pipe"])
    if pipe not in series.columns:
        raise ScoreInputError(f"{flows}: no column for leak {pipe!r}")
    flow = series[pipe].fill_null(0.0).to_numpy().astype(np.float64)
    return TrueLeak(pipe, _time(row["start"], truth), _time(row["end"], truth), flow)


def _frame(path: Path, needed: list[str]) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except FileNotFoundError as error:
        raise ScoreInputError(f"{path}: there is no such file") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ScoreInputError(f"{path}: cannot be read: {error}") from error
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ScoreInputError(f"{path}: no column {missing[0]!r}; it has {', '.join(frame.columns[:8])}")
    return frame


def _time(value: Any, path: Path) -> datetime:
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError as error:
        raise ScoreInputError(f"{path}: {value!r} is not a time; write it as 2019-01-31 08:05:00") from error
