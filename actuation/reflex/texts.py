"""Alerts that come as text: the city's rules make drafts, a duty officer confirms, a trusted source may act at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from actuation.cap import CapSources, ZoneIndex
from actuation.cap.text import Draft as TextDraft
from actuation.cap.text import DraftStore, TextRules, read_text
from actuation.ledger import NewEntry
from actuation.reflex.journal import name_of
from actuation.reflex.runner import Runner
from actuation.reflex.server import RefusedError
from actuation.reflex.shapes import CapVerdict, Draft

PATIENCE_S = 8.0


class Texts:
    """Drafts are kept in SQLite; what acts goes through the Runner like any other alert."""

    def __init__(
        self, runner: Runner, sources: CapSources, rules: TextRules | None, zones: ZoneIndex, path: Path
    ) -> None:
        self._runner, self._sources, self._rules, self._zones = runner, sources, rules, zones
        self._store = DraftStore(path)

    def close(self) -> None:
        self._store.close()

    def take(self, code: str, text: str) -> list[Draft]:
        """The drafts of a text; those of a source that may act have acted. RefusedError: no such source, no rules."""
        source = self._sources.of(code)
        if source is None:
            raise RefusedError(404, "no such source", "source", code, "See cities/<city>/alert_sources.toml")
        if self._rules is None:
            raise RefusedError(409, "this city has no alert_rules.yaml", "source", code, "Write one: docs/alerts.md")
        found = read_text(text, source, self._rules, self._zones, datetime.now(UTC), self._store.known(code))
        told = []
        for draft in found:
            is_new = self._store.put(draft)
            if is_new and draft.acts:
                self._act(draft, None)
            told.append(_shown(draft, "acted" if draft.acts else "waiting"))
        return told

    def waiting(self) -> Sequence[Draft]:
        return [_shown(draft, "waiting") for draft in self._store.waiting()]

    def decide(self, draft_id: str, confirm: bool, by: str) -> CapVerdict:
        draft = self._store.decide(draft_id, confirm, by)
        if draft is None:
            raise RefusedError(404, "no draft of this name waits", "draft_id", draft_id, "Take one of GET /drafts")
        told: CapVerdict = {
            "result": "accepted" if confirm else "refused",
            "event_key": draft.key,
            "reason": None if confirm else f"rejected by {by}",
            "field": None,
            "value": None,
            "runs": [],
            "commands": [],
        }
        if confirm:
            told["runs"], told["commands"] = self._act(draft, by)
        else:
            self._runner.note([_pressed(draft, "reject", by)])
        return told

    def _act(self, draft: TextDraft, by: str | None) -> tuple[list[str], list[str]]:
        lines = [_pressed(draft, "confirm", by)] if by is not None else []
        outcome = self._runner.event(draft.event(by), lines).result(PATIENCE_S)
        return outcome.runs, outcome.commands


def _pressed(draft: TextDraft, action: str, by: str) -> NewEntry:
    said = orjson.dumps({"draft": draft.draft_id, "source": draft.source, "text": draft.text[:4_000]}).decode()
    return NewEntry.model_construct(
        at=datetime.now(UTC),
        kind="pressed",
        entity=name_of(draft.key),
        mode="none",
        action=f"draft_{action}",
        by=by[:128],
        trigger_kind="alert",
        trigger_key=draft.key[:512],
        detail=said[:9_500],
    )


def _shown(draft: TextDraft, state: str) -> Draft:
    return {
        "draft_id": draft.draft_id,
        "created_at": draft.created_at.isoformat(),
        "source": draft.source,
        "text": draft.text,
        "alert": dict(draft.alert),
        "zones": list(draft.zones),
        "state": state,  # type: ignore[typeddict-item]
        "doubts": list(draft.doubts),
    }
