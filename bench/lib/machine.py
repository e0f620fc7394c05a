"""What a figure was measured on: without it a figure says nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Machine:
    """load_1min: of others too, taken before the benchmark began; above 0.5 the figures are not to be trusted."""

    measured_at: datetime
    cores: int
    memory_gib: float
    python: str
    system: str
    load_1min: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}, "
            f"load before {self.load_1min:.2f}, {self.measured_at:%Y-%m-%d %H:%M} UTC"
        )


def look() -> Machine:
    return Machine(
        measured_at=datetime.now(UTC),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=psutil.virtual_memory().total / 2**30,
        python=platform.python_version(),
        system=platform.system(),
        load_1min=os.getloadavg()[0],
    )
