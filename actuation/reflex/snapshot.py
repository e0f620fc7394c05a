"""The state at a line of the ledger, so that a restart replays the lines after it and not a year of them.

A snapshot that is missing, torn, of another ledger or of a form that is no longer read costs only time: the whole
ledger is replayed.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger(__name__)
FORM = 1


def save(path: Path, ledger_id: str, seq: int, state: dict[str, Any]) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".new")
    with draft.open("wb") as sink:
        sink.write(orjson.dumps({"form": FORM, "ledger": ledger_id, "seq": seq, **state}))
        sink.flush()
        os.fsync(sink.fileno())
    draft.replace(path)


def load(path: Path, ledger_id: str, head: int) -> tuple[int, dict[str, Any]] | None:
    """(the line it was taken at, the state); None when there is none that fits this ledger."""
    try:
        found = dict(orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("snapshot %s is not read (%s); the whole ledger is replayed", path, error)
        return None
    if found.get("form") != FORM or found.get("ledger") != ledger_id or found.get("seq", 0) > head:
        log.warning("snapshot %s is of another ledger or form; the whole ledger is replayed", path)
        return None
    return int(found["seq"]), found
