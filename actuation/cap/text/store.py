"""Drafts that wait for a duty officer, and which alerts of texts are in force. SQLite: a restart loses none."""

from __future__ import annotations

import json
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from actuation.cap.text.drafting import Draft, ended

State = Literal["waiting", "confirmed", "rejected", "acted", "lapsed"]
WAITS = timedelta(hours=1)
"""A draft that nobody has looked at for so long is no alert any more."""
KEPT = timedelta(days=30)
RECENT = timedelta(hours=1)
"""An all-clear that is older says nothing of reposts any more."""
MOST_WAITING = 200

SCHEMA = """
create table if not exists draft (
    draft_id text primary key, created_at text not null, state text not null, by text, decided_at text,
    body text not null
) without rowid;
create table if not exists in_force (
    source text not null, rule text not null, key text not null, until text not null, primary key (source, rule)
) without rowid;
create table if not exists ended (
    source text not null, rule text not null, at text not null, primary key (source, rule)
) without rowid;
"""


class DraftStore:
    """For any thread; path None keeps it in memory."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._store = sqlite3.connect(":memory:" if path is None else path, check_same_thread=False)
        self._store.execute("pragma journal_mode = wal")
        with self._store:
            self._store.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._store.close()

    def put(self, draft: Draft) -> bool:
        """False when it is there already. Where MOST_WAITING wait, the oldest lapses: the newest may be real."""
        state: State = "acted" if draft.acts else "waiting"
        with self._lock, self._store:
            self._forget(draft.created_at)
            made = self._store.execute(
                "insert or ignore into draft values (?, ?, ?, null, null, ?)",
                (draft.draft_id, _text(draft.created_at), state, json.dumps(_as_json(draft), ensure_ascii=False)),
            ).rowcount
            self._store.execute(
                "update draft set state = 'lapsed' where draft_id in (select draft_id from draft"
                " where state = 'waiting' order by draft_id = ? desc, created_at desc limit -1 offset ?)",
                (draft.draft_id, MOST_WAITING),
            )
            if made and _is_over(draft):
                self._store.execute(
                    "insert or replace into ended values (?, ?, ?)",
                    (draft.source, draft.rule, _text(draft.created_at)),
                )
            if made and draft.acts:
                self._in_force(draft)
        return bool(made)

    def decide(self, draft_id: str, confirm: bool, by: str, now: datetime | None = None) -> Draft | None:
        """The draft, once; None when it is unknown, decided already, or too old."""
        at = now or datetime.now(UTC)
        with self._lock, self._store:
            self._forget(at)
            state: State = "confirmed" if confirm else "rejected"
            changed = self._store.execute(
                "update draft set state = ?, by = ?, decided_at = ? where draft_id = ? and state = 'waiting'",
                (state, by, _text(at), draft_id),
            ).rowcount
            if not changed:
                return None
            row = self._store.execute("select body from draft where draft_id = ?", (draft_id,)).fetchone()
            draft = _of_json(json.loads(row[0]))
            if confirm:
                self._in_force(draft)
        return draft

    def waiting(self, now: datetime | None = None) -> list[Draft]:
        """Oldest first."""
        with self._lock, self._store:
            self._forget(now or datetime.now(UTC))
            rows = self._store.execute("select body from draft where state = 'waiting' order by created_at").fetchall()
        return [_of_json(json.loads(row[0])) for row in rows]

    def known(self, source: str, now: datetime | None = None) -> dict[str, str]:
        """What read_text needs to refer an all-clear: rule → key of the alert in force, and when each last ended."""
        at = now or datetime.now(UTC)
        with self._lock:
            recent = self._store.execute(
                "select rule, at from ended where source = ? and at > ?", (source, _text(at - RECENT))
            ).fetchall()
            rows = self._store.execute(
                "select rule, key from in_force where source = ? and until > ?",
                (source, _text(at)),
            ).fetchall()
        return {**dict(rows), **{ended(rule): when for rule, when in recent}}

    def _in_force(self, draft: Draft) -> None:
        if _is_over(draft):
            self._store.execute("delete from in_force where source = ? and rule = ?", (draft.source, draft.rule))
            return
        until = draft.alert["info"][0]["expires"]
        self._store.execute(
            "insert or replace into in_force values (?, ?, ?, ?)",
            (draft.source, draft.rule, draft.key, _text(datetime.fromisoformat(until))),
        )

    def _forget(self, now: datetime) -> None:
        lapsed = _text(now - WAITS)
        self._store.execute("update draft set state = 'lapsed' where state = 'waiting' and created_at < ?", (lapsed,))
        self._store.execute("delete from draft where created_at < ?", (_text(now - KEPT),))


def _is_over(draft: Draft) -> bool:
    return draft.alert["msgType"] == "Cancel" or "AllClear" in draft.alert["info"][0]["responseType"]


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _as_json(draft: Draft) -> dict[str, Any]:
    return {
        "draft_id": draft.draft_id, "source": draft.source, "text": draft.text, "rule": draft.rule,
        "alert": dict(draft.alert), "zones": list(draft.zones), "created_at": _text(draft.created_at),
        "doubts": list(draft.doubts), "acts": draft.acts,
    }  # fmt: skip


def _of_json(body: dict[str, Any]) -> Draft:
    return Draft(
        body["draft_id"], body["source"], body["text"], body["rule"], body["alert"], tuple(body["zones"]),
        datetime.fromisoformat(body["created_at"]), tuple(body["doubts"]), body["acts"],
    )  # fmt: skip
