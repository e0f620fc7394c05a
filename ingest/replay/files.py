"""Files as streams: plain, .gz, .bz2, or a member of a .zip, with a limit on what they unpack to."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

HEAD_BYTES = 4_096
"""Of a file that cannot be read at all, so many bytes go to quarantine."""

TABLE_BYTES = 8 * 1024**3
"""Largest table that is read, unpacked; DAIAD's is 44 MB."""

UNPACKING_ERRORS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError)


class UnreadableFileError(Exception):
    """The file as a whole cannot be read; the text says why."""


class _Limited(RawIOBase):
    """Reads from a stream, and maps whatever the unpacker raises to UnreadableFileError."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._left = limit
        self._limit = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        try:
            data = self._stream.read(wanted)
        except UNPACKING_ERRORS as error:
            raise UnreadableFileError(f"cannot be unpacked: {error}") from error
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableFileError(f"unpacks to more than the limit of {self._limit} bytes")
        return data


@contextlib.contextmanager
def opened(path: Path, limit: int = TABLE_BYTES) -> Iterator[BinaryIO]:
    """The file's unpacked bytes; UnreadableFileError when it is damaged or larger than the limit.

    Of a .zip: its only file (folders and macOS's __MACOSX are passed over).
    """
    opener = _OPENERS.get(path.suffix.lower(), _plain)
    with contextlib.ExitStack() as stack:
        try:
            stream = opener(path, stack)
        except UNPACKING_ERRORS as error:
            raise UnreadableFileError(f"cannot be opened: {error}") from error
        yield cast(BinaryIO, _Limited(stream, limit))


def _plain(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return stack.enter_context(path.open("rb"))


def _gz(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return cast(BinaryIO, stack.enter_context(gzip.open(path, "rb")))


def _bz2(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return cast(BinaryIO, stack.enter_context(bz2.open(path, "rb")))


def _zip(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    archive = stack.enter_context(zipfile.ZipFile(path))
    members = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
    if len(members) != 1:
        names = ", ".join(info.filename for info in members[:5]) or "none"
        raise UnreadableFileError(f"holds {len(members)} files ({names}): unpack it and give the one to replay")
    return cast(BinaryIO, stack.enter_context(archive.open(members[0])))


def _is_litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith("._")


_OPENERS: dict[str, Callable[[Path, contextlib.ExitStack], Any]] = {".gz": _gz, ".bz2": _bz2, ".zip": _zip}


def whole(path: Path, limit: int) -> bytes:
    """All unpacked bytes of a file, at most `limit`."""
    with opened(path, limit) as stream:
        return stream.read()


def head(path: Path) -> bytes:
    """The first bytes as they lie in the file, for quarantine."""
    try:
        with path.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError:
        return b""
