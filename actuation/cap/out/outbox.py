"""Alerts of our own and their deliveries, in SQLite: what is in it survives the process, and is tried until accepted.

One writer, the reflex process; anybody may read.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.contracts.alert_delivery import AlertDelivery, Result

KEPT = timedelta(days=92)
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0

SCHEMA = """
create table if not exists alert (
    identifier text primary key, sender text not null, sent text not null, status text not null,
    headline text not null, expires text not null, made_at text not null, document blob not null
) without rowid;
create table if not exists delivery (
    identifier text not null, receiver text not null, channel text not null, state text not null,
    attempts integer not null default 0, next_at text not null, last_at text, answer text,
    primary key (identifier, receiver)
) without rowid;
create index if not exists delivery_due on delivery (receiver, state, next_at);
create table if not exists attempt (seq integer primary key autoincrement, row text not null);
"""


@dataclass(frozen=True, slots=True)
class OutAlert:
    """One signed alert of ours."""

    identifier: str
    sender: str
    sent: str
    status: str
    headline: str
    expires: datetime
    made_at: datetime
    document: bytes

    @property
    def reference(self) -> str:
        return f"{self.sender},{self.identifier},{self.sent}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """state: waiting, accepted, expired. answer: the receiver's last words."""

    identifier: str
    receiver: str
    channel: str
    state: str
    attempts: int
    next_at: datetime
    answer: str | None


class Outbox:
    """Every method is one transaction, durable when it returns. For any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._store = sqlite3.connect(path, check_same_thread=False)
        self._store.execute("pragma journal_mode = wal")
        self._store.execute("pragma synchronous = full")
        with self._store:
            self._store.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._store.close()

    def put(self, alert: OutAlert, receivers: Iterable[tuple[str, str]]) -> bool:
        """receivers: (code, channel). False when the alert is there already: an effect is done once."""
        values = (
            alert.identifier, alert.sender, alert.sent, alert.status, alert.headline, _text(alert.expires),
            _text(alert.made_at), alert.document,
        )  # fmt: skip
        with self._lock, self._store:
            made = self._store.execute("insert or ignore into alert values (?, ?, ?, ?, ?, ?, ?, ?)", values).rowcount
            if made:
                self._store.executemany(
                    "insert into delivery (identifier, receiver, channel, state, next_at) "
                    "values (?, ?, ?, 'waiting', ?)",
                    [(alert.identifier, code, channel, _text(alert.made_at)) for code, channel in receivers],
                )
            self._store.execute("delete from alert where made_at < ?", (_text(alert.made_at - KEPT),))
            self._store.execute("delete from delivery where identifier not in (select identifier from alert)")
        return bool(made)

    def alert(self, identifier: str) -> OutAlert | None:
        found = self._all("select * from alert where identifier = ?", identifier)
        return _alert(found[0]) if found else None

    def alerts(self, limit: int = 100) -> list[OutAlert]:
        """Newest first."""
        return [_alert(row) for row in self._all("select * from alert order by made_at desc limit ?", limit)]

    def due(self, receiver: str, now: datetime) -> Delivery | None:
        """The delivery of a receiver that is to be tried now, the longest due first."""
        found = self._all(
            "select * from delivery where receiver = ? and state = 'waiting' and next_at <= ? order by next_at limit 1",
            receiver,
            _text(now),
        )
        return _delivery(found[0]) if found else None

    def next_due(self, receiver: str) -> datetime | None:
        [(text,)] = self._all("select min(next_at) from delivery where receiver = ? and state = 'waiting'", receiver)
        return None if text is None else datetime.fromisoformat(text)

    def deliveries(self, identifier: str | None = None) -> list[Delivery]:
        """Of one alert, or the newest thousand."""
        rows = self._all(
            "select * from delivery where identifier = coalesce(?, identifier) order by next_at desc limit 1000",
            identifier,
        )
        return [_delivery(row) for row in rows]

    def answered(self, delivery: Delivery, result: Result, answer: str, now: datetime) -> AlertDelivery:
        """Notes what came of an attempt; `retry` sets the time of the next one: 1, 2, 4 … 60 s later."""
        alert = self.alert(delivery.identifier)
        assert alert is not None
        tried = delivery.attempts + (result != "expired")
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(tried - 1, 10)) if result == "retry" else 0.0
        next_at = now + timedelta(seconds=wait_s)
        row = AlertDelivery.model_construct(
            identifier=delivery.identifier,
            receiver=delivery.receiver,
            attempt=tried,
            at=now,
            channel=delivery.channel,
            status=alert.status,
            result=result,
            answer=answer[:512],
            next_at=next_at if result == "retry" else None,
            waited_s=max(0.0, (now - alert.made_at).total_seconds()),
        )
        state = "waiting" if result == "retry" else result
        with self._lock, self._store:
            self._store.execute(
                "update delivery set state = ?, attempts = ?, next_at = ?, last_at = ?, answer = ? "
                "where identifier = ? and receiver = ? and state = 'waiting'",
                (state, tried, _text(next_at), _text(now), answer[:512], delivery.identifier, delivery.receiver),
            )
            self._store.execute("insert into attempt (row) values (?)", (row.model_dump_json(exclude_none=True),))
        return row

    def attempts(self, since_seq: int, limit: int = 500) -> list[tuple[int, AlertDelivery]]:
        """(seq, row) of attempts after `since_seq`, in order: what is to be published as feed alert_delivery."""
        rows = self._all("select seq, row from attempt where seq > ? order by seq limit ?", since_seq, limit)
        return [(seq, AlertDelivery.model_validate_json(row)) for seq, row in rows]

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._store.execute(statement, values).fetchall()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _alert(row: Any) -> OutAlert:
    identifier, sender, sent, status, headline, expires, made_at, document = row
    times = datetime.fromisoformat(expires), datetime.fromisoformat(made_at)
    return OutAlert(identifier, sender, sent, status, headline, *times, document)


def _delivery(row: Any) -> Delivery:
    identifier, receiver, channel, state, attempts, next_at, _, answer = row
    return Delivery(identifier, receiver, channel, state, attempts, datetime.fromisoformat(next_at), answer)
