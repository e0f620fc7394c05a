"""Frames of a video file or of a network stream, one every so many seconds.

OpenCV reads both: it is in the extra anyway (ultralytics needs it) and carries its own FFmpeg.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vision_jobs.errors import SourceError, VisionMissingError
from vision_jobs.frame import BadFrame, Frame, Image

SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".m4v", ".ts", ".webm"})
SCHEMES = frozenset({"rtsp", "rtsps", "http", "https", "rtmp", "udp"})
PAUSES_S = (1, 2, 4, 8, 16)
"""Waits before a lost stream is opened again; after the last one the run ends."""


class Video:
    """Frames of a video file. Time of a frame: `started_at` plus its position; without `started_at` the file's time
    of change minus its length, because a recorder closes the file at the last frame.
    """

    def __init__(self, path: Path, every_s: float, started_at: datetime | None = None) -> None:
        self._path = path
        self._capture = _open(str(path))
        if not self._capture.isOpened():
            raise SourceError(
                f"{path} is not a video that OpenCV reads", "convert it to H.264 in MP4, or check the file"
            )
        cv2 = _cv2()
        self._fps = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self._count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._step = max(1, round(self._fps * every_s))
        changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        self._started_at = started_at or changed_at - timedelta(seconds=self._count / self._fps)

    @property
    def expected(self) -> int | None:
        return -(-self._count // self._step) if self._count else None

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        index = 0
        try:
            while self._capture.grab():
                if index % self._step == 0:
                    yield self._frame(index)
                index += 1
        finally:
            self._capture.release()
        if index < self._count:
            yield BadFrame(f"{self._path.name}#{index}", f"the file ends after {index} of {self._count} frames")

    def _frame(self, index: int) -> Frame | BadFrame:
        origin = f"{self._path.name}#{index}"
        good, image = self._capture.retrieve()
        if not good:
            return BadFrame(origin, "cannot be decoded")
        taken_at = self._started_at + timedelta(milliseconds=round(1000 * index / self._fps))
        return Frame(origin, image, _digest(image, str(index)), taken_at)


class Stream:
    """Frames of a network stream until it ends for good. Time of a frame: our clock when it arrived."""

    expected: int | None = None

    def __init__(self, url: str, every_s: float, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self._url, self._every_s, self._pauses_s = url, every_s, pauses_s
        self._name = without_password(url)

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        lost = 0
        while True:
            for frame in self._until_lost():
                lost = 0
                yield frame
            if lost == len(self._pauses_s):
                yield BadFrame(self._name, f"no frame after {lost} attempts to open it again")
                return
            time.sleep(self._pauses_s[lost])
            lost += 1

    def _until_lost(self) -> Iterator[Frame]:
        capture = _open(self._url)
        due = time.monotonic()
        try:
            # every frame is taken off the line, so that the one that we look at is the newest
            while capture.grab():
                if time.monotonic() < due:
                    continue
                due = time.monotonic() + self._every_s
                good, image = capture.retrieve()
                if good:
                    now = datetime.now(UTC)
                    yield Frame(f"{self._name}@{now:%H:%M:%S}", image, _digest(image, ""), now)
        finally:
            capture.release()


def without_password(url: str) -> str:
    """rtsp://user:secret@host/x → rtsp://host/x: origins are printed and stored. A query may hold a key: left out."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _digest(image: Image, position: str) -> str:
    digest = hashlib.sha256(f"{position}|{image.shape}|".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _open(source: str) -> Any:
    return _cv2().VideoCapture(source)


def _cv2() -> Any:
    try:
        import cv2
    except ImportError:
        raise VisionMissingError("opencv") from None
    return cv2
