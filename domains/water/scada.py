"""SCADA tables in the layout `<what>_<year>.parquet`: found by name, joined over the years, on one even grid.

`pressures_m_*` (a column a node), `flows_m3_h_*` (a link), `levels_m_*` (a tank, metres above its bottom),
`demands_l_h_*` (a household meter's node). Each has a column `timestamp`. Any of them may be absent, any number of
columns may be there; gaps are NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

TABLES = {"pressures_m": "pressure", "flows_m3_h": "flow", "levels_m": "level", "demands_l_h": "demand"}
STEP = timedelta(minutes=5)


class ScadaError(ValueError):
    """The folder has no table that can be read; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Names of the channels of each kind, in the order of the values of a step."""

    pressure: tuple[str, ...] = ()
    flow: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    demand: tuple[str, ...] = ()

    @property
    def slices(self) -> Mapping[str, slice]:
        """Where each kind stands in the row of one step: pressure, flow, level, demand."""
        told, start = {}, 0
        for kind in ("pressure", "flow", "level", "demand"):
            size = len(getattr(self, kind))
            told[kind] = slice(start, start + size)
            start += size
        return told

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.pressure, *self.flow, *self.level, *self.demand)


@dataclass(frozen=True, slots=True)
class Scada:
    """Values (steps, channels) every five minutes from `begin`, NaN where nothing was told."""

    begin: datetime
    channels: Channels
    values: NDArray[np.float64]

    def steps(self) -> Iterator[tuple[datetime, NDArray[np.float64]]]:
        for number, row in enumerate(self.values):
            yield self.begin + number * STEP, row

    def time(self, number: int) -> datetime:
        return self.begin + number * STEP


def read_scada(folder: Path) -> Scada:
    """All the years that lie in a folder, in order."""
    frames = {kind: _joined(folder, prefix) for prefix, kind in TABLES.items()}
    found = {kind: frame for kind, frame in frames.items() if frame is not None and frame.height}
    if not found:
        raise ScadaError(f"{folder}: no table; looked for {', '.join(f'{prefix}_*.parquet' for prefix in TABLES)}")
    begin = min(frame["timestamp"][0] for frame in found.values())
    end = max(frame["timestamp"][-1] for frame in found.values())
    size = round((end - begin) / STEP) + 1
    columns: dict[str, tuple[str, ...]] = {}
    parts = []
    for kind in ("pressure", "flow", "level", "demand"):
        if kind not in found:
            continue
        frame = found[kind]
        names = tuple(name for name in frame.columns if name != "timestamp")
        columns[kind] = names
        rows = (
            ((frame["timestamp"] - begin).dt.total_seconds() / STEP.total_seconds()).round().cast(pl.Int64).to_numpy()
        )
        part = np.full((size, len(names)), np.nan)
        part[rows] = frame.select(names).to_numpy()
        parts.append(part)
    return Scada(begin, Channels(**columns), np.concatenate(parts, axis=1))


def _joined(folder: Path, prefix: str) -> pl.DataFrame | None:
    """The tables of one kind below each other; columns that a year lacks are empty there."""
    frames = []
    for path in sorted(folder.glob(f"{prefix}_*.parquet")):
        if "truth" in path.name:
            continue
        frame = pl.read_parquet(path)
        if "timestamp" not in frame.columns:
            raise ScadaError(f"{path}: no column 'timestamp'")
        time = pl.col("timestamp").cast(pl.Datetime("us"))
        values = pl.exclude("timestamp").cast(pl.Float64, strict=False)
        frames.append(frame.select(time, values))
    if not frames:
        return None
    joined = pl.concat(frames, how="diagonal")
    return joined.drop_nulls("timestamp").unique("timestamp", keep="last").sort("timestamp")
