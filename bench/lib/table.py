"""What a benchmark is asked and what it answers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.lib.machine import Machine, look


@dataclass(frozen=True, slots=True)
class Options:
    """How large a benchmark is to be.

    scale: 1 is the size that the goals speak of; 0.01 tries the script in seconds.
    days: length of the generated data where a benchmark has such; None is its own default.
    doors, rate, seconds: one size instead of the benchmark's own, where it has such (reflex).
    home: where its data lie, kept afterwards; None is a temporary folder that is removed.
    """

    scale: float = 1.0
    days: int | None = None
    home: Path | None = None
    doors: int | None = None
    rate: float | None = None
    seconds: float | None = None

    def sized(self, number: int, least: int = 1) -> int:
        """`number` at this scale, and at least `least`."""
        return max(least, round(number * self.scale))


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that this project promises. `better` says on which side of `bound` it must lie."""

    what: str
    value: float
    bound: float
    better: Literal["higher", "lower"]

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.better == "higher" else self.value <= self.bound


@dataclass(slots=True)
class BenchTable:
    """A benchmark's answer. rows: one a measured thing, cells in the order of `columns`, whose names have the units."""

    title: str
    columns: Sequence[str]
    rows: list[list[Any]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    machine: Machine = field(default_factory=look)

    def as_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "machine": self.machine.as_dict(),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "goals": [
                {"what": goal.what, "value": goal.value, "bound": goal.bound, "better": goal.better, "met": goal.met}
                for goal in self.goals
            ],
            "notes": self.notes,
        }


@contextmanager
def workplace(options: Options, name: str) -> Iterator[Path]:
    """The benchmark's folder: the one asked for, or a temporary one that goes afterwards."""
    if options.home is not None:
        options.home.mkdir(parents=True, exist_ok=True)
        yield options.home.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix=f"gorodok-bench-{name}-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own when we are root
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
