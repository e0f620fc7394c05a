"""`gorodok ledger`: prints the command ledger and follows its chain."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from actuation.ledger import open_reader
from actuation.ledger.ledger import LedgerReader
from apps.cli.output import err, fail, out
from city.settings import settings
from ingest.contracts.ledger_entry import LedgerEntry

CHUNK = 5_000


def register(app: typer.Typer) -> None:
    app.command("ledger", help="Журнал команд и его цепочка / The command ledger and its chain")(ledger)


def ledger(
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Не раньше, RFC 3339 / Not earlier than, RFC 3339")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Строка JSON на запись / A JSON line an entry")] = False,
) -> None:
    """Exit code 0: the chain is whole; 1: it is broken, and the first bad line is named; 2: no ledger, bad usage."""
    at = _time(since)
    try:
        reader = open_reader(settings().ledger_path)
    except FileNotFoundError as error:
        fail(str(error), "", 2)
    with reader:
        broken = reader.verify()
        if broken is not None:
            with contextlib.suppress(sqlite3.DatabaseError, ValueError):  # no further than the file can be read
                _print(reader, at, as_json, broken.seq - 1)
            fail(f"строка / line {broken.seq}: {broken.why}", "цепочка порвана / the chain is broken", 1)
        _print(reader, at, as_json, None)
        seq, last = reader.head()
    err.print(f"цепочка цела / the chain is whole: {seq} строк / lines, {last}", markup=False, soft_wrap=True)


def _print(reader: LedgerReader, since: datetime | None, as_json: bool, until: int | None) -> None:
    """Lines up to the first bad one."""
    seq = 0
    while lines := reader.read(seq, CHUNK if until is None else min(CHUNK, until - seq), since=since):
        for line in lines:
            if until is not None and line.seq > until:
                return
            if as_json:
                sys.stdout.write(line.model_dump_json(exclude_none=True) + "\n")
            else:
                out.print(_text(line), markup=False, highlight=False, soft_wrap=True)
        seq = lines[-1].seq


def _text(line: LedgerEntry) -> str:
    parts = (line.scenario, line.action, line.target, line.device_id, line.by, line.reason)
    rest = " ".join(str(part) for part in parts if part)
    return f"{line.seq:>7} {line.at:%Y-%m-%d %H:%M:%S.%f} {line.kind:<9} {line.mode:<6} {line.entity} {rest}"


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--since: {text!r} is no time", "write it like 2026-11-25T12:00:00+03:00", 2)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
