"""One picture of a camera, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Height x width x 3, blue-green-red, 0…255: OpenCV's order, which ultralytics expects too."""


@dataclass(frozen=True, slots=True)
class Frame:
    """origin: file name, or file name and position; never a password. digest: SHA-256 (hex) that tells this frame
    from any other of its camera: of a photo's bytes; of a video's or stream's pixels, in a video with its position.
    """

    origin: str
    image: Image
    digest: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that could not be read."""

    origin: str
    reason: str
