"""What a detector is, whatever library does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vision_jobs.frame import Image


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in a frame. Box: left, top, width, height as shares 0…1 of the frame. confidence: 0…1, raw."""

    class_name: str
    confidence: float
    x: float
    y: float
    width: float
    height: float


class Detector(Protocol):
    @property
    def model(self) -> str:
        """Name and version of the weights: goes into each event."""
        ...

    @property
    def class_names(self) -> frozenset[str]:
        """All that it can see."""
        ...

    def detect(self, image: Image, least_confidence: float) -> list[Detection]:
        """Objects with at least that confidence, most certain first."""
        ...
