"""A line of the ledger before it has a number and hashes, and the bytes that its hash is over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from ingest.contracts.contract import Identifier, Text, UtcTime
from ingest.contracts.ledger_entry import Kind, LedgerEntry


class NewEntry(BaseModel):
    """`LedgerEntry` without ledger_id, seq, prev_hash and hash, which the ledger gives."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    at: UtcTime
    kind: Kind
    entity: Identifier
    mode: Literal["live", "drill", "shadow", "none"]
    command_id: Identifier | None = None
    target: Identifier | None = None
    device_id: Identifier | None = None
    action: Identifier | None = None
    scenario: Identifier | None = None
    version: Identifier | None = None
    run_id: Identifier | None = None
    trigger_kind: Identifier | None = None
    trigger_key: Annotated[str, Field(max_length=512)] | None = None
    by: Identifier | None = None
    reason: Annotated[str, Field(max_length=512)] | None = None
    answer_ms: Annotated[float, Field(ge=0)] | None = None
    detail: Text | None = None


def canonical(fields: dict[str, Any]) -> bytes:
    """JSON of the line's fields but the hashes: keys sorted, no spaces, UTF-8, what is null left out, the time as
    2026-11-25T20:50:00.123456Z. Numbers in the shortest form that reads back the same.

    Nobody has to make these bytes again: they are stored, and the hash is over what is stored. By pydantic's writer,
    in 2 µs; Python's own takes 10 to 30.
    """
    return to_json({key: fields[key] for key in _KEYS if fields[key] is not None})


def instant(at: datetime) -> str:
    """Always of one length, so that texts order as times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def genesis(ledger_id: str) -> str:
    """`prev_hash` of line 1: another ledger's lines do not fit behind it."""
    return sha256(f"gorodok-ledger:{ledger_id}".encode()).hexdigest()


def chain(prev_hash: str, line: bytes) -> str:
    """SHA-256 of the previous hash (64 hex digits), a line feed, and the canonical bytes."""
    return sha256(prev_hash.encode() + b"\n" + line).hexdigest()


def read_line(line: bytes, prev_hash: str, hash_: str) -> LedgerEntry:
    """The entry of stored bytes. Raises ValueError when they are no line of a ledger."""
    fields = json.loads(line)
    fields["at"] = datetime.fromisoformat(fields["at"])
    return LedgerEntry.model_validate({**fields, "prev_hash": prev_hash, "hash": hash_})


_KEYS = sorted([*NewEntry.model_fields, "ledger_id", "seq"])
