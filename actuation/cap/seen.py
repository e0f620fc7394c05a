"""Which alerts were acted on: an alert that comes over three channels, or again after a restart, acts once.

A believed alert outranks an unbelieved one: a stranger who sends an identity first must not keep the real alert out.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from actuation.cap.verdict import Accepted
from actuation.scenario.event import Trust

RANK: dict[Trust, int] = {"none": 0, "trusted": 1, "verified": 2}
KEPT = timedelta(days=32)
"""A day more than the oldest alert that a source may be set to take."""
MOST = 100_000

SCHEMA = """
create table if not exists sighting (
    key text primary key, source text not null, trust text not null, digest text not null, zones text not null,
    seen_at text not null
) without rowid;
create table if not exists withdrawn (
    key text primary key, by_key text not null, trust text not null, seen_at text not null
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was accepted under a key. zones: those it was about."""

    source: str
    trust: Trust
    digest: str
    zones: tuple[str, ...]


class Seen(Protocol):
    """What judge() asks. `withdrawn`: the trust of the Update or Cancel that named this key, None when none did."""

    def sighting(self, key: str) -> Sighting | None: ...

    def withdrawn(self, key: str) -> Trust | None: ...


class SeenAlerts:
    """In memory, and in SQLite when given a path. `add` after the ledger has the event, never before."""

    def __init__(self, path: Path | None = None) -> None:
        self._sightings: OrderedDict[str, Sighting] = OrderedDict()
        self._withdrawn: OrderedDict[str, Trust] = OrderedDict()
        self._lock = threading.Lock()
        self._store = None if path is None else self._open(path)

    def sighting(self, key: str) -> Sighting | None:
        with self._lock:
            return self._sightings.get(key)

    def withdrawn(self, key: str) -> Trust | None:
        with self._lock:
            return self._withdrawn.get(key)

    def add(self, accepted: Accepted, now: datetime | None = None) -> None:
        """Remembers an accepted alert, and what it withdraws."""
        at = (now or datetime.now(UTC)).isoformat()
        sighting = Sighting(accepted.source, accepted.trust, accepted.digest, accepted.zones)
        alert = accepted.alert  # an exercise or a test takes no real alert back, should that come after it
        gone = accepted.references if alert.msgType in ("Update", "Cancel") and alert.status == "Actual" else ()
        with self._lock:
            self._sightings[accepted.key] = sighting
            fresh = [key for key in gone if RANK[accepted.trust] > RANK.get(self._withdrawn.get(key, "none"), -1)]
            fresh += [key for key in gone if key not in self._withdrawn and key not in fresh]
            self._withdrawn.update(dict.fromkeys(fresh, accepted.trust))
            for held in (self._sightings, self._withdrawn):
                while len(held) > MOST:
                    held.popitem(last=False)
            if self._store is not None:
                self._keep(accepted, sighting, fresh, at)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _keep(self, accepted: Accepted, sighting: Sighting, fresh: list[str], at: str) -> None:
        assert self._store is not None
        zones = " ".join(sighting.zones)
        with self._store:
            self._store.execute(
                "insert or replace into sighting values (?, ?, ?, ?, ?, ?)",
                (accepted.key, sighting.source, sighting.trust, sighting.digest, zones, at),
            )
            self._store.executemany(
                "insert or replace into withdrawn values (?, ?, ?, ?)",
                [(key, accepted.key, accepted.trust, at) for key in fresh],
            )

    def _open(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        store = sqlite3.connect(path, check_same_thread=False)
        store.execute("pragma journal_mode = wal")
        store.execute("pragma synchronous = full")
        store.executescript(SCHEMA)
        oldest = (datetime.now(UTC) - KEPT).isoformat()
        with store:
            store.execute("delete from sighting where seen_at < ?", (oldest,))
            store.execute("delete from withdrawn where seen_at < ?", (oldest,))
        for key, source, trust, digest, zones in store.execute(
            "select key, source, trust, digest, zones from sighting order by seen_at"
        ):
            self._sightings[key] = Sighting(source, trust, digest, tuple(zones.split()))
        self._withdrawn.update(store.execute("select key, trust from withdrawn order by seen_at"))
        return store
