"""Photos of a folder, one after another.

Read with Pillow: OpenCV hands out a torn JPEG as if it were whole, with a grey rest.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import numpy as np
from PIL import ExifTags, ImageOps
from PIL import Image as Pillow

from vision_jobs.frame import BadFrame, Frame

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
LARGEST_BYTES = 64 * 2**20
LARGEST_PIXELS = 64 * 10**6
"""A file of a few KB can unfold into gigabytes; no camera of a city has more than 64 megapixels."""


class Photos:
    """Frames of photo files, in the order of their names.

    Time of a frame: EXIF DateTimeOriginal with its offset; without an offset it is taken in `zone` (the city's);
    without EXIF the file's time of change.
    """

    def __init__(self, paths: Sequence[Path], zone: tzinfo) -> None:
        self._paths = paths
        self._zone = zone

    @property
    def expected(self) -> int | None:
        return len(self._paths)

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        return (read_photo(path, self._zone) for path in self._paths)


def find_photos(folder: Path) -> list[Path]:
    """Photo files directly in the folder, hidden ones (half-written by rsync and the like) left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def read_photo(path: Path, zone: tzinfo) -> Frame | BadFrame:
    try:
        stat = path.stat()
        if stat.st_size > LARGEST_BYTES:
            return BadFrame(path.name, f"{stat.st_size:,} bytes; more than {LARGEST_BYTES:,} is no photo of a camera")
        data = path.read_bytes()
        changed_at = datetime.fromtimestamp(stat.st_mtime, UTC)
        return _decode(path.name, data, changed_at, zone)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        return BadFrame(path.name, f"{error or type(error).__name__}")


def _decode(name: str, data: bytes, changed_at: datetime, zone: tzinfo) -> Frame | BadFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on EXIF; our own limit of pixels follows
        with Pillow.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            if width * height > LARGEST_PIXELS:
                return BadFrame(
                    name, f"{width} x {height} pixels; more than {LARGEST_PIXELS:,} is no photo of a camera"
                )
            taken_at = _exif_time(picture.getexif(), zone) or changed_at
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    image = np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])
    return Frame(name, image, hashlib.sha256(data).hexdigest(), taken_at)


def _exif_time(exif: Pillow.Exif, zone: tzinfo) -> datetime | None:
    """DateTimeOriginal as UTC; None when it is missing or no time (0000:00:00: the camera's clock was never set)."""
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    text = str(tags.get(ExifTags.Base.DateTimeOriginal, "")).strip("\0 ")
    offset = str(tags.get(ExifTags.Base.OffsetTimeOriginal, "")).strip("\0 ")
    try:
        if offset:
            return datetime.strptime(f"{text}{offset}", "%Y:%m:%d %H:%M:%S%z").astimezone(UTC)
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None
