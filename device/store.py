"""What a device must not forget when its power fails: one small JSON file, replaced as a whole, fsynced."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = "gorodok-state/1"


@dataclass(slots=True)
class Seen:
    """The highest that one signer has sent."""

    command_seq: int = -1
    clock_seq: int = -1
    clock_ms: int = 0


@dataclass(slots=True)
class Answered:
    """A command that was accepted. answer: the whole message that was sent; None while the thing still moves."""

    cid: str
    seq: int
    says: str
    answer: str | None = None


@dataclass(slots=True)
class Commanded:
    """What the thing was last told to do. until: when that ends by itself, milliseconds; None never."""

    action: str
    level: int | None
    text: str | None
    until: int | None


@dataclass(slots=True)
class State:
    """n: counter of messages that is free after a restart. floor_ms: a time that has come."""

    owner: str = ""
    n: int = 0
    floor_ms: int = 0
    keyset_seq: int = 0
    signers: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    commanded: Commanded | None = None


class Store:
    """path None: in memory only, for simulators and tests."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def load(self, owner: str) -> State:
        """A new state where there is none, or one of another device. A damaged file is put aside.

        Memory that cannot be read is no reason to keep a shelter shut: a new state, too.
        """
        fresh = State(owner=owner)
        if self._path is None:
            return fresh
        try:
            if not self._path.exists():
                return fresh
            state = _state(json.loads(self._path.read_bytes()))
        except OSError:
            return fresh
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            with contextlib.suppress(OSError):
                self._path.replace(self._path.with_suffix(".damaged"))
            return fresh
        return state if state.owner == owner else fresh

    def save(self, state: State) -> None:
        """On the disk when this returns. OSError when it cannot be."""
        if self._path is None:
            return
        half = self._path.with_suffix(".new")
        with half.open("wb") as file:
            file.write(json.dumps({"format": FORMAT, **asdict(state)}, ensure_ascii=False).encode())
            file.flush()
            os.fsync(file.fileno())
        half.replace(self._path)
        with contextlib.suppress(OSError):  # not every small file system can sync a folder
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _state(said: dict[str, Any]) -> State:
    if said.pop("format") != FORMAT:
        raise ValueError("another format")
    said["seen"] = {kid: Seen(**each) for kid, each in said["seen"].items()}
    said["answered"] = [Answered(**each) for each in said["answered"]]
    said["commanded"] = Commanded(**said["commanded"]) if said["commanded"] else None
    return State(**said)
