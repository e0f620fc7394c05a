"""Follows the chain from the first line to the head."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from actuation.ledger.entry import chain, genesis


@dataclass(frozen=True, slots=True)
class Broken:
    """seq: number of the first line that is not as it was written. why: for a person."""

    seq: int
    why: str


def verify(connection: sqlite3.Connection, witness: tuple[int, str] | None = None) -> Broken | None:
    """All rows are read in one snapshot, so that a writer beside does not matter."""
    done = 0
    try:
        connection.execute("BEGIN")
        try:
            ledger_id, end, end_hash = connection.execute("SELECT ledger_id, seq, hash FROM head").fetchone()
            last = genesis(ledger_id)
            rows = connection.execute("SELECT seq, at, line, prev_hash, hash FROM line ORDER BY seq")
            for row in rows:
                if (why := _fault(row, done + 1, last, ledger_id)) is not None:
                    return Broken(done + 1, why)
                done, last = row[0], row[4]
                if witness is not None and witness[0] == done and witness[1] != last:
                    return Broken(done, "the chain is whole and another than the witness saw: it was written anew")
        finally:
            connection.execute("ROLLBACK")
    except (sqlite3.DatabaseError, TypeError) as error:
        return Broken(done + 1, f"the file is damaged: {error}")
    if (done, last) != (end, end_hash):
        return Broken(done + 1, f"the last lines are missing: {end} were written, {done} are here")
    if witness is not None and witness[0] > done:
        return Broken(done + 1, f"the last lines are missing: a witness saw line {witness[0]}")
    return None


def _fault(row: tuple[int, str, bytes, str, str], expected: int, last: str, ledger_id: str) -> str | None:
    seq, at, line, prev_hash, hash_ = row
    if seq != expected:
        return f"line {expected} is missing, the next is {seq}"
    if prev_hash != last:
        return "it does not follow the line before: one of them was put here, or changed"
    if not isinstance(line, bytes) or chain(prev_hash, line) != hash_:
        return "its text is not what its hash is of: it was changed"
    try:
        said = json.loads(line)
        if (said["seq"], said["ledger_id"], said["at"]) == (seq, ledger_id, at):
            return None
    except (ValueError, KeyError, TypeError):
        pass
    return "its number, ledger or time is not what its text says"
