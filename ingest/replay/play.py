"""Plays files into an outlet and counts what went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.adapters.outcomes import outcome
from ingest.adapters.outlet import Outlet
from ingest.contracts.ingest_outcome import IngestOutcome
from ingest.parcel import Parcel, Refusal
from ingest.replay import Items, ReplayOptions, items
from ingest.replay.items import parcels
from ingest.replay.pace import paced


@dataclass(slots=True)
class Played:
    """parcels: messages sent; rows: rows in them; refused: lines or files that could not be read; bytes: sent."""

    parcels: int = 0
    rows: int = 0
    refused: int = 0
    bytes: int = 0


def play(
    name: str,
    paths: Sequence[Path],
    options: ReplayOptions,
    outlet: Outlet,
    *,
    speed: float | None = None,
    tell: Callable[[Played], None] = lambda played: None,
) -> Played:
    """Plays each file after the other (speed None: as fast as the outlet takes it), or all together by their times.

    tell: called after every parcel. Every file that was played to its end leaves an outcome row of the stage `replay`.
    """
    played = Played()
    groups = [[path] for path in paths] if speed is None else [list(paths)]
    for group in groups:
        before = Played(played.parcels, played.rows, played.refused, played.bytes)
        started, clock = datetime.now(UTC), time.monotonic()
        counted = _counted(name, group, options, played)
        for thing in parcels(counted) if speed is None else paced(counted, speed):
            outlet.submit(thing)
            if isinstance(thing, Parcel):
                played.parcels += 1
                played.bytes += len(thing.payload)
            tell(played)
        subject = f"{name}:{','.join(path.name for path in group)}"
        outlet.note(_outcome(subject, started, time.monotonic() - clock, before, played))
    return played


def _outcome(subject: str, started: datetime, seconds: float, before: Played, now: Played) -> IngestOutcome:
    return outcome(
        "replay",
        subject,
        started,
        seconds,
        success=now.rows > before.rows or now.refused == before.refused,
        messages=now.parcels - before.parcels,
        rows=now.rows - before.rows,
        quarantined=now.refused - before.refused,
        size_bytes=now.bytes - before.bytes,
    )


def _counted(name: str, group: list[Path], options: ReplayOptions, played: Played) -> Iterator[Items | Refusal]:
    for path in group:
        for thing in items(name, path, options):
            if isinstance(thing, Refusal):
                played.refused += 1
            else:
                played.rows += thing.frame.height
            yield thing
