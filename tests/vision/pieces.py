"""A detector without weights and frames without a camera, for what does not depend on real ones."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from vision_jobs.detector import Detection
from vision_jobs.frame import Frame, Image


class FakeDetector:
    """Sees the same things in every frame; for what does not depend on real weights."""

    model = "fake@000000000000"

    def __init__(self, *seen: Detection, names: tuple[str, ...] = ("person", "dog", "car")) -> None:
        self.seen = list(seen)
        self.class_names = frozenset(names)
        self.calls = 0

    def detect(self, image: Image, least_confidence: float) -> list[Detection]:
        self.calls += 1
        if image[0, 0, 0] == 13:
            raise ValueError("a frame that the network does not take")
        return [found for found in self.seen if found.confidence >= least_confidence]


def noise(seed: int, height: int = 72, width: int = 128) -> Image:
    return np.random.default_rng(seed).integers(20, 255, (height, width, 3), dtype=np.uint8)


def frame(seed: int = 1) -> Frame:
    return Frame(f"{seed}.jpg", noise(seed), f"{seed:064x}", datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
