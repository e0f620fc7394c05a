"""Up to which line of which ledger a follower has done its work: a small file, replaced whole."""

from __future__ import annotations

import json
import os
from pathlib import Path


class Cursor:
    """A cursor of another ledger is 0: a new ledger is followed from its beginning."""

    def __init__(self, path: Path, ledger_id: str) -> None:
        self._path, self._ledger = path, ledger_id
        self.seq = self._read()

    def move(self, seq: int) -> None:
        """Durable on return."""
        if seq <= self.seq:
            return
        draft = self._path.with_suffix(".new")
        with draft.open("w") as sink:
            json.dump({"ledger": self._ledger, "seq": seq}, sink)
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(self._path)
        self.seq = seq

    def _read(self) -> int:
        try:
            found = json.loads(self._path.read_text())
            return int(found["seq"]) if found["ledger"] == self._ledger else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0
