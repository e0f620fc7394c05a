"""What is to be said and what became of it, on disk (SQLite, WAL): a notice survives the process that took it.

Times are microseconds since 1970, UTC. A send that the process did not live to write down is made again: twice rather
than never.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actuation.people.notices import Severity
from actuation.scenario.effect import Mode, NotifyPeople
from ingest.contracts.notice_delivery import NoticeDelivery, Result

SCHEMA = """
CREATE TABLE IF NOT EXISTS notice (
    notice_id TEXT PRIMARY KEY, audience TEXT NOT NULL, template TEXT NOT NULL, severity TEXT NOT NULL,
    mode TEXT NOT NULL, scenario TEXT NOT NULL, run_id TEXT NOT NULL, fields TEXT NOT NULL, created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
    delivery_id INTEGER PRIMARY KEY, notice_id TEXT NOT NULL REFERENCES notice, audience TEXT NOT NULL,
    channel TEXT NOT NULL, recipient INTEGER NOT NULL, severity TEXT NOT NULL, mode TEXT NOT NULL,
    state TEXT NOT NULL, due_us INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, sent_us INTEGER,
    UNIQUE (notice_id, channel, recipient)
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (state, due_us);
CREATE INDEX IF NOT EXISTS delivery_sent ON delivery (audience, channel, recipient, sent_us);
CREATE TABLE IF NOT EXISTS attempt (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, row TEXT NOT NULL
) STRICT;
"""
WAITING = "waiting"
LOADED = (
    "SELECT d.*, n.template, n.scenario, n.run_id, n.fields, n.created_us FROM delivery d"
    " JOIN notice n USING (notice_id)"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice to one recipient of one channel. recipient: its place in the channel's `to`; 0 where it has none."""

    delivery_id: int
    notice_id: str
    audience: str
    channel: str
    recipient: int
    severity: Severity
    mode: Mode
    state: str
    due: datetime
    attempts: int
    template: str
    scenario: str
    run_id: str
    fields: dict[str, Any]
    created: datetime

    @property
    def lane(self) -> tuple[str, int]:
        """Messages of one lane go one after another."""
        return self.channel, self.recipient


@dataclass(frozen=True, slots=True)
class NewDelivery:
    channel: str
    recipient: int
    due: datetime
    state: str = WAITING


class Outbox:
    """One file, one process; methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)  # fields of notices may name people
        self._base.row_factory = sqlite3.Row
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._base.close()

    def knows(self, notice_id: str) -> bool:
        with self._lock:
            found = self._base.execute("SELECT 1 FROM notice WHERE notice_id = ?", (notice_id,)).fetchone()
        return found is not None

    def add(self, effect: NotifyPeople, deliveries: Iterable[NewDelivery], now: datetime) -> bool:
        """Keeps a notice with its deliveries; False when it is there already. Durable on return."""
        cause = effect.cause
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            fresh = self._base.execute(
                "INSERT OR IGNORE INTO notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (effect.effect_id, effect.audience, effect.template, effect.severity, effect.mode, cause.scenario,
                 cause.run_id, json.dumps(dict(effect.fields), default=str, ensure_ascii=False), micros(now)),
            ).rowcount  # fmt: skip
            if fresh:
                self._base.executemany(
                    "INSERT INTO delivery (notice_id, audience, channel, recipient, severity, mode, state, due_us)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        (effect.effect_id, effect.audience, one.channel, one.recipient, effect.severity, effect.mode,
                         one.state, micros(one.due))
                        for one in deliveries
                    ],
                )  # fmt: skip
        return bool(fresh)

    def of_notice(self, notice_id: str) -> list[Delivery]:
        return self._load(f"{LOADED} WHERE d.notice_id = ? ORDER BY d.delivery_id", (notice_id,))

    def due(self, now: datetime, limit: int = 500) -> list[Delivery]:
        """What may go now, the gravest first."""
        return self._load(
            f"{LOADED} WHERE d.state = 'waiting' AND d.due_us <= ?"
            " ORDER BY d.severity <> 'critical', d.due_us, d.delivery_id LIMIT ?",
            (micros(now), limit),
        )

    def next_due(self, after: datetime) -> datetime | None:
        with self._lock:
            found = self._base.execute(
                "SELECT min(due_us) FROM delivery WHERE state = 'waiting' AND due_us > ?", (micros(after),)
            ).fetchone()[0]
        return None if found is None else moment(found)

    def companions(self, one: Delivery, now: datetime) -> list[Delivery]:
        """What else may go with `one` to the same ears now: not critical, of the same mode. Itself included."""
        return self._load(
            f"{LOADED} WHERE d.state = 'waiting' AND d.due_us <= ? AND d.audience = ? AND d.channel = ?"
            " AND d.recipient = ? AND d.mode = ? AND d.severity <> 'critical' ORDER BY d.delivery_id LIMIT 200",
            (micros(now), one.audience, one.channel, one.recipient, one.mode),
        )

    def last_sent(self, audience: str, channel: str, recipient: int) -> datetime | None:
        """When these ears last heard something that was not critical."""
        with self._lock:
            found = self._base.execute(
                "SELECT max(sent_us) FROM delivery WHERE audience = ? AND channel = ? AND recipient = ?"
                " AND severity <> 'critical'",
                (audience, channel, recipient),
            ).fetchone()[0]
        return None if found is None else moment(found)

    def sent_since(self, channel: str, since: datetime) -> list[datetime]:
        """Times of the messages that a channel took since; a digest counts once."""
        with self._lock:
            rows = self._base.execute(
                "SELECT DISTINCT recipient, sent_us FROM delivery WHERE channel = ? AND sent_us > ? ORDER BY sent_us",
                (channel, micros(since)),
            ).fetchall()
        return [moment(row["sent_us"]) for row in rows]

    def put_off(self, deliveries: Sequence[Delivery], until: datetime) -> None:
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany(
                "UPDATE delivery SET due_us = ? WHERE delivery_id = ?",
                [(micros(until), one.delivery_id) for one in deliveries],
            )

    def write(self, outcomes: Sequence[tuple[Delivery, NoticeDelivery, datetime | None]]) -> None:
        """What a channel said of each; a time is the next try, None ends it. One transaction."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            for one, row, again in outcomes:
                state = WAITING if again is not None else row.result
                self._base.execute(
                    "UPDATE delivery SET state = ?, due_us = ?, attempts = ?, sent_us = ? WHERE delivery_id = ?",
                    (state, micros(again or row.at), row.attempt, micros(row.at) if row.result == "sent" else None,
                     one.delivery_id),
                )  # fmt: skip
                self._base.execute(
                    "INSERT INTO attempt (at_us, row) VALUES (?, ?)",
                    (micros(row.at), row.model_dump_json(exclude_none=True)),
                )

    def attempts(self, after_seq: int = 0, limit: int = 1_000) -> list[tuple[int, NoticeDelivery]]:
        """Rows of the feed notice_delivery, in the order they were written: a forwarder keeps the last number."""
        with self._lock:
            rows = self._base.execute(
                "SELECT seq, row FROM attempt WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit)
            ).fetchall()
        return [(row["seq"], NoticeDelivery.model_validate_json(row["row"])) for row in rows]

    def counts(self) -> dict[str, int]:
        """Deliveries by state."""
        with self._lock:
            rows = self._base.execute("SELECT state, count(*) FROM delivery GROUP BY state").fetchall()
        return {row[0]: row[1] for row in rows}

    def forget(self, before: datetime) -> int:
        """Removes notices that were made before and do not wait, with their rows; how many."""
        with self._lock, self._base:
            self._base.execute("BEGIN IMMEDIATE")
            self._base.execute(
                "DELETE FROM delivery WHERE notice_id IN (SELECT notice_id FROM notice WHERE created_us < ?)"
                " AND state <> 'waiting'",
                (micros(before),),
            )
            self._base.execute("DELETE FROM attempt WHERE at_us < ?", (micros(before),))
            return self._base.execute(
                "DELETE FROM notice WHERE created_us < ? AND notice_id NOT IN (SELECT notice_id FROM delivery)",
                (micros(before),),
            ).rowcount

    def _load(self, sql: str, parameters: tuple[Any, ...]) -> list[Delivery]:
        with self._lock:
            rows = self._base.execute(sql, parameters).fetchall()
        return [
            Delivery(
                delivery_id=row["delivery_id"], notice_id=row["notice_id"], audience=row["audience"],
                channel=row["channel"], recipient=row["recipient"], severity=row["severity"], mode=row["mode"],
                state=row["state"], due=moment(row["due_us"]), attempts=row["attempts"], template=row["template"],
                scenario=row["scenario"], run_id=row["run_id"], fields=json.loads(row["fields"]),
                created=moment(row["created_us"]),
            )
            for row in rows
        ]  # fmt: skip


def row_of(
    one: Delivery,
    recipient: str,
    result: Result,
    now: datetime,
    *,
    attempt: int,
    code: int | None = None,
    answer: str | None = None,
    together: int = 1,
) -> NoticeDelivery:
    """A line of the feed."""
    return NoticeDelivery(
        notice_id=one.notice_id, channel=one.channel, recipient=recipient, attempt=attempt, at=now,
        audience=one.audience, template=one.template, severity=one.severity, mode=one.mode, scenario=one.scenario,
        run_id=one.run_id, result=result, code=code, answer=answer, together=together,
        waited_s=max(0.0, (now - one.created).total_seconds()),
    )  # fmt: skip


def micros(at: datetime) -> int:
    return round(at.timestamp() * 1e6)


def moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)
