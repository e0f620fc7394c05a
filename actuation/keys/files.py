"""Files that only their owner may read: the folder 0700, each file 0600; wider ones are refused, not repaired.

A key that others could read may have been read: whoever widened it decides whether to make new ones.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600


class KeysError(RuntimeError):
    """Keys are missing, unreadable, or readable by others. `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}: {remedy}")
        self.message, self.remedy = message, remedy


def make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    check(folder, FOLDER_MODE)


def check(path: Path, mode: int) -> None:
    """KeysError when the path is not there, another's, a link, or open to more people than its owner."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise KeysError(f"{path} is missing", "run `gorodok keys new`") from None
    if stat.S_ISLNK(found.st_mode):
        raise KeysError(f"{path} is a link", "put the file itself there")
    if found.st_uid != os.geteuid():
        raise KeysError(f"{path} belongs to user {found.st_uid}", f"run as that user, or `chown {os.geteuid()} {path}`")
    if wide := stat.S_IMODE(found.st_mode) & ~mode:
        remedy = f"`chmod {mode:o} {path}`; if others may have read it, `gorodok keys rotate` and revoke the old ones"
        raise KeysError(f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):o}, {wide:o} too much)", remedy)


def read_private(path: Path) -> bytes:
    check(path.parent, FOLDER_MODE)
    check(path, FILE_MODE)
    return path.read_bytes()


def write_private(path: Path, data: bytes) -> None:
    """On the disk under its name when this returns; a reader sees the old file or the new one, never a half."""
    make_folder(path.parent)
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
