"""The frame that proves an event, kept with people and number plates made unreadable.

Blurred: the whole box of every person, and the lower part of every vehicle, where its plate is, found with a lower
confidence than an event needs. NOT blurred: people and vehicles that the detector did not find (small, hidden, at
night), faces behind glass and on posters, plates seen from above, house numbers and other writing. So evidence is
personal data all the same: it stays under GORODOK_HOME and goes after the city's `frames_days`. Weights that do not
know people cannot blur them: then no evidence is kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vision_jobs.detector import Detection
from vision_jobs.errors import VisionMissingError
from vision_jobs.frame import Frame, Image

BLURRED_FROM = {"person": 0.0, "car": 0.4, "truck": 0.4, "bus": 0.4, "motorcycle": 0.3}
"""Class → where the blur begins, as a share of the box's height from its top; it reaches to the bottom."""

BLUR_CONFIDENCE = 0.10
"""A blurred bag does no harm, a recognisable person does."""

MARGIN = 0.08
"""A box is blurred larger by this share of its size on each side: boxes cut off hair and feet."""

BLOCKS = 6
"""What remains of a blurred area: this many blocks along its longer side, too few for a face or a plate."""

JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Evidence:
    """ref: path below GORODOK_HOME. sha256: of the stored file, which is also its name."""

    ref: str
    sha256: str


def can_blur_people(class_names: Iterable[str]) -> bool:
    return "person" in class_names


def keep(home: Path, frame: Frame, seen: Iterable[Detection]) -> Evidence:
    """Writes `<home>/evidence/<day>/<sha>.jpg` (UTC day of the frame), whole or not at all; the same frame twice is one
    file."""
    data = _jpeg(blurred(frame.image, seen))
    sha256 = hashlib.sha256(data).hexdigest()
    ref = f"evidence/{frame.taken_at:%Y-%m-%d}/{sha256}.jpg"
    path = home / ref
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")
        try:
            draft.write_bytes(data)
            draft.chmod(0o640)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return Evidence(ref, sha256)


def blurred(image: Image, seen: Iterable[Detection]) -> Image:
    """A copy of the image with the areas of BLURRED_FROM reduced to blocks of their mean colour."""
    copy = image.copy()
    for found in seen:
        if (begins := BLURRED_FROM.get(found.class_name)) is not None and found.confidence >= BLUR_CONFIDENCE:
            _reduce(_area(copy, found, begins))
    return copy


def _area(image: Image, found: Detection, begins: float) -> Image:
    """A view into the image: what is written there changes it."""
    height, width = image.shape[:2]
    side_x, side_y = found.width * MARGIN, found.height * MARGIN
    top = found.y + begins * found.height - side_y
    left, right = found.x - side_x, found.x + found.width + side_x
    rows = slice(max(0, int(top * height)), min(height, int((found.y + found.height + side_y) * height) + 1))
    columns = slice(max(0, int(left * width)), min(width, int(right * width) + 1))
    return image[rows, columns]


def _reduce(area: Image) -> None:
    """Means of blocks, not a blur filter: a filter can be undone in part, a mean cannot."""
    height, width = area.shape[:2]
    block = max(1, -(-max(height, width) // BLOCKS))
    for top in range(0, height, block):
        for left in range(0, width, block):
            part = area[top : top + block, left : left + block]
            part[:] = np.round(part.mean(axis=(0, 1))).astype(np.uint8)


def _jpeg(image: Image) -> bytes:
    """Written anew, so nothing of the original's EXIF (place, owner) goes along."""
    try:
        import cv2
    except ImportError:
        raise VisionMissingError("opencv") from None
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise ValueError(f"frame of {image.shape} cannot be written as JPEG")
    return bytes(data)
