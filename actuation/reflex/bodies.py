"""What is too long for a line of the ledger: a file named by its own SHA-256, on the disk before the line is.

An alert's polygons and texts may be 100 KB; a line's `detail` takes 10,000 characters. The line then holds the
digest, so the hash chain covers the file too.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

LONGEST = 9_500
"""Characters that stay in the line."""


class BodyLostError(RuntimeError):
    """A file that a line names is not there, or not what it was."""


class Bodies:
    """Files <folder>/<first two digits>/<sha256>.json."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shorten(self, data: bytes) -> str:
        """JSON text for `detail`: the document, or the name of the file that holds it."""
        if len(data) <= LONGEST:
            return data.decode()
        digest = sha256(data).hexdigest()
        path = self._path(digest)
        if not path.exists():
            self._write(path, data)
        return orjson.dumps({"body_sha256": digest, "bytes": len(data)}).decode()

    def whole(self, detail: str) -> dict[str, Any]:
        """The document of a line's `detail`. Raises BodyLostError."""
        found: dict[str, Any] = orjson.loads(detail)
        digest = found.get("body_sha256")
        if digest is None:
            return found
        try:
            data = self._path(str(digest)).read_bytes()
        except OSError as error:
            raise BodyLostError(f"{self._path(str(digest))}: {error.strerror}") from error
        if sha256(data).hexdigest() != digest:
            raise BodyLostError(f"{self._path(str(digest))} is not what the ledger's line names")
        return dict(orjson.loads(data))

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.json"

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        with draft.open("wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
