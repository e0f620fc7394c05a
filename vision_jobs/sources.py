"""Opens what `--source` names: a folder of photos, one photo, a video file, or a stream's URL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from vision_jobs import photos, video
from vision_jobs.errors import SourceError
from vision_jobs.frame import BadFrame, Frame


class FrameSource(Protocol):
    """Frames in time order. expected: how many there will be, None when nobody knows."""

    @property
    def expected(self) -> int | None: ...

    def __iter__(self) -> Iterator[Frame | BadFrame]: ...


def open_source(source: str, *, zone: tzinfo, every_s: float = 1.0, started_at: datetime | None = None) -> FrameSource:
    """Raises SourceError when nothing is there to look at. every_s: for videos and streams; photos are all taken."""
    if urlsplit(source).scheme in video.SCHEMES:
        return video.Stream(source, every_s)
    path = Path(source)
    if path.is_dir():
        return _folder(path, zone)
    if not path.is_file():
        raise SourceError(f"source {source!r} is neither a folder, a file nor a stream's URL", "check the path or URL")
    if path.suffix.lower() in video.SUFFIXES:
        return video.Video(path, every_s, started_at)
    if path.suffix.lower() in photos.SUFFIXES:
        return photos.Photos([path], zone)
    known = ", ".join(sorted(photos.SUFFIXES | video.SUFFIXES))
    raise SourceError(f"source {source!r} is neither a photo nor a video by its name", f"known endings: {known}")


def _folder(folder: Path, zone: tzinfo) -> photos.Photos:
    found = photos.find_photos(folder)
    if not found:
        endings = ", ".join(sorted(photos.SUFFIXES))
        raise SourceError(f"folder {folder} holds no photo", f"put files ending in {endings} directly into it")
    return photos.Photos(found, zone)


def camera_name(source: str) -> str:
    """A camera's id for a source that nobody named: folder, file without its ending, or host of the stream."""
    parts = urlsplit(source)
    if parts.scheme in video.SCHEMES:
        return parts.hostname or parts.scheme
    path = Path(source).resolve()
    return path.name if path.is_dir() else path.stem
