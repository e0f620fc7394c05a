"""The book of leaks that the detector believes in, and the findings it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from domains.water.network.arrays import Floats

REACH_M = 300.0


class Stage(StrEnum):
    """tentative: believed, not told yet. told: a finding was made. ended: its flow is gone (repaired)."""

    TENTATIVE = "tentative"
    TOLD = "told"
    ENDED = "ended"


@dataclass(slots=True)
class Leak:
    """A leak in the book. pipe: index among the pipes. start: hour. growing: its flow is fitted anew each time."""

    number: int
    pipe: int
    zone: int
    start: int
    flow_m3_h: float
    growing: bool
    weight: Floats
    stage: Stage = Stage.TENTATIVE
    told_pipe: int = -1
    sure: float = 0.0
    flow_spread_m3_h: float = 0.0
    abrupt_at: int = -1
    ended_at: int = -1
    correction: Floats = field(default_factory=lambda: np.zeros(0))
    course: list[tuple[int, float]] = field(default_factory=list)
    seen: int = 0
    steady: int = 0
    last_choice: int = -1


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another pipe that the same evidence allows."""

    pipe: str
    weight: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A leak told. Flow in m³/h and cost a day in the price's money, each with a 90 % band.

    seen_at: when it was told; started_at: when it likely began. corrects: the finding it takes back, if any.
    """

    number: int
    seen_at: datetime
    started_at: datetime
    pipe: str
    confidence: float
    leak_m3_h: float
    leak_low_m3_h: float
    leak_high_m3_h: float
    cost_day: float
    cost_day_low: float
    cost_day_high: float
    alternatives: tuple[Alternative, ...]
    corrects: int | None = None
    ended_at: datetime | None = None

    def as_row(self) -> dict[str, Any]:
        """The four columns of the detections file."""
        return {
            "pipe": self.pipe,
            "detected_at": self.seen_at.isoformat(sep=" "),
            "confidence": round(self.confidence, 3),
            "leak_m3_h": round(self.leak_m3_h, 2),
        }
