"""A reflex process that only plays: the API's own server over a Desk with a scene, for tests of pages and for looking.

GORODOK_HOME=/some/empty/folder python -m tests.pages.reflex_sample live
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from actuation.reflex.server import RefusedError, Server
from actuation.reflex.shapes import CapVerdict, CommandRow, DeviceRow, Draft, Role, RunRow, Status, TimelineLine
from actuation.reflex.token import token_path
from city.contacts import load_contacts
from city.settings import Settings, settings

CITY = Path(__file__).resolve().parents[2] / "cities" / "gorodok"
SCENARIO = """
scenario: missile_alert
title: {ru: "Ракетная опасность: укрытия", en: "Missile alert: shelters"}
triggers:
  - {on: alert}
  - {on: button, confirm_within_s: 120}
steps:
  - {do: command, action: unlock, kinds: [door]}
"""
SCENES = ("calm", "live", "silent", "drill", "waiting", "draft")
KINDS = ("door", "siren", "lamp", "display")
SILENT = "door-shelter-04"
JAMMED = "door-shelter-03"
REST = {"door": "locked", "siren": "off", "lamp": "off", "display": "blank"}
ASKED = {"door": "unlock", "siren": "siren_on", "display": "show"}
BECOMES = {"door": "unlocked", "siren": "on", "display": "shown"}
MISSILE = "missile_alert"


def town(home: Path) -> Path:
    """A copy of the demo city with one scenario of known words; the folder of cities."""
    shutil.copytree(CITY, home / "cities" / "gorodok")
    folder = home / "cities" / "gorodok" / "scenarios"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "missile_alert.yaml").write_text(SCENARIO, encoding="utf-8")
    return home / "cities"


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


class Play:
    """A Desk: one scene, begun `since`; devices answer one after another, `pace_s` apart."""

    def __init__(self, scene: str = "calm", since: datetime | None = None, pace_s: float = 0.05) -> None:
        self.scene, self.pace_s = scene, pace_s
        self.since = since or datetime.now(UTC)
        self.pressed: list[dict[str, Any]] = []
        self.decided: list[tuple[str, bool, str]] = []
        self.places = _places()

    def show(self, scene: str) -> None:
        self.scene, self.since = scene, datetime.now(UTC)

    # what the pages ask

    def health(self) -> dict[str, Any]:
        return {"ok": True}

    def status(self) -> Status:
        now = datetime.now(UTC)
        return {
            "now": stamp(now),
            "holder": {"holder": "gorodok-1", "epoch": 3, "mine": True, "since": stamp(now - timedelta(days=2))},
            "broker": {"connected": True, "address": "mqtt://127.0.0.1:1883"},
            "live_doors": True,
            "sources": [
                _source("mchs", now - timedelta(minutes=4), "Update, Actual, Met: гололедица", 118, 0),
                _source("regional_edds", now - timedelta(hours=5), "Alert, Exercise, Safety", 12, 1),
                _source("unknown_sender", now - timedelta(days=1), "подпись не сошлась", 0, 3),
            ],
            "counts": {"commands": 412},
            "latency_ms": {"p50": 1.4, "p99": 2.4},
            "ledger": {"seq": len(self._lines())},
        }

    def runs(self, past: bool, since: str | None) -> list[RunRow]:
        if past:
            return _ended()
        return [] if self.scene in ("calm", "draft") else [self._run()]

    def run_devices(self, run_id: str) -> list[DeviceRow]:
        return [row for row in self.devices() if row["commanded"] is not None]

    def devices(self) -> list[DeviceRow]:
        return [self._device(index, place) for index, place in enumerate(self.places)]

    def drafts(self) -> list[Draft]:
        if self.scene != "draft":
            return []
        text = "⚡️ Ракетная опасность на территории области. Всем укрыться! Сигнал «Внимание всем»."
        alert = {"info": [{"headline": "Ракетная опасность", "event": "Ракетная опасность", "severity": "Extreme"}]}
        return [
            {"draft_id": "d-1", "created_at": stamp(self.since), "source": "telegram_region", "text": text,
             "alert": alert, "zones": ["dma-1", "dma-2"], "state": "waiting"}
        ]  # fmt: skip

    def timeline(self, since_seq: int, limit: int, wait_s: float) -> list[TimelineLine]:
        return [line for line in self._lines() if line["seq"] > since_seq][:limit]

    # what persons press

    def press(self, body: Mapping[str, Any], by: str, role: Role) -> Mapping[str, Any]:
        if body["scenario"] == "broken":
            raise RefusedError(409, "сценарий уже идёт", "scenario", body["scenario"], "Дождитесь отбоя")
        self.pressed.append({**body, "by": by, "role": role})
        self.show({"start": "waiting", "confirm": "live", "drill": "drill"}.get(str(body["press"]), "calm"))
        return {"event_key": "button-1", "runs": ["run-1"], "commands": 2, "effects": 3}

    def decide_draft(self, draft_id: str, confirm: bool, by: str) -> CapVerdict:
        self.decided.append((draft_id, confirm, by))
        self.show("live" if confirm else "calm")
        return {"result": "accepted", "event_key": "k", "reason": None, "field": None, "value": None, "runs": [],
                "commands": []}  # fmt: skip

    # what the pages do not ask

    def cap(self, source: str, data: bytes) -> CapVerdict:
        raise NotImplementedError

    def text(self, source: str, text: str) -> Draft:
        raise NotImplementedError

    def event(self, body: Mapping[str, Any], by: str | None) -> Mapping[str, Any]:
        raise NotImplementedError

    def retry(self, command_id: str, body: Mapping[str, Any], by: str) -> Mapping[str, Any]:
        raise NotImplementedError

    def escalate(self, command_id: str, body: Mapping[str, Any], by: str) -> Mapping[str, Any]:
        raise NotImplementedError

    def notes(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError

    # the play

    @property
    def _commands(self) -> bool:
        return self.scene in ("live", "silent", "drill")

    def _device(self, index: int, place: dict[str, Any]) -> DeviceRow:
        now, kind = datetime.now(UTC), place["kind"]
        asked = ASKED.get(kind) if self._commands and place["zone_id"] in ("dma-1", "dma-2") else None
        answered_at = self.since + timedelta(seconds=0.4 + index * self.pace_s)
        mute = self.scene == "silent" and place["device_id"] == SILENT
        jammed = self.scene == "silent" and place["device_id"] == JAMMED
        spoke = asked is not None and now >= answered_at and not mute
        moved = spoke and self.scene != "drill" and not jammed
        return {
            **place,  # type: ignore[typeddict-item]
            "command_id": "c-1" if asked else None,
            "mode": ("drill" if self.scene == "drill" else "live") if asked else None,
            "commanded": asked,
            "commanded_at": stamp(self.since) if asked else None,
            "answered": None if not spoke else "failed" if jammed else "would_do" if self.scene == "drill" else "done",
            "answered_at": stamp(answered_at) if spoke else None,
            "answer_ms": (answered_at - self.since).total_seconds() * 1_000 if spoke else None,
            "reason": "jammed" if spoke and jammed else None,
            "sensed": None if index == 2 else BECOMES[kind] if moved else REST[kind],
            "sensed_at": stamp(answered_at if moved else now - timedelta(seconds=20)),
        }

    def _run(self) -> RunRow:
        rows = self.run_devices("run-1")
        tally = {name: sum(row["answered"] in names for row in rows) for name, names in
                 (("done", ("done", "would_do")), ("refused", ("refused",)), ("failed", ("failed",)))}  # fmt: skip
        answers = sorted(row["answer_ms"] for row in rows if row["answer_ms"] is not None)
        command: CommandRow = {
            "command_id": "c-1", "target": "zone:dma-1", "action": "unlock", "mode": "live",
            "created_at": stamp(self.since), "sent_at": stamp(self.since),
            "expires_at": stamp(self.since + timedelta(hours=2)), "expected": len(rows), **tally,
            "silent": len(rows) - sum(tally.values()), "p50_ms": answers[len(answers) // 2] if answers else None,
            "p99_ms": answers[-1] if answers else None, "last_ms": answers[-1] if answers else None,
        }  # type: ignore[typeddict-item]  # fmt: skip
        return {
            "run_id": "run-1", "scenario": MISSILE, "title_ru": "Ракетная опасность: укрытия",
            "title_en": "Missile alert: shelters", "mode": "drill" if self.scene == "drill" else "live",
            "started_at": stamp(self.since), "event_key": "edds,2026-1", "headline": (
                "Учебная проверка укрытий" if self.scene == "drill" else "Ракетная опасность. Немедленно в укрытие"),
            "zones": ["dma-1", "dma-2"], "waiting_confirmation": self.scene == "waiting",
            "ends_at": stamp(self.since + timedelta(hours=2)), "ended_at": None,
            "started_by": "Анна Дежурная <duty1@gorodok.example>" if self.scene in ("waiting", "drill") else None,
            "commands": [command] if self._commands else [],
        }  # fmt: skip

    def _lines(self) -> list[TimelineLine]:
        old = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
        lines: list[dict[str, Any]] = [
            {"at": old, "kind": "other", "entity": "lease", "reason": "срок взят"},
            {"at": old, "kind": "pressed", "entity": "button", "by": "Иван Админов <admin@gorodok.example>"},
        ]
        if self._commands:
            mode = "drill" if self.scene == "drill" else "live"
            more = {"mode": mode, "command_id": "c-1"}
            lines += [
                {"at": self.since, "kind": "seen", "entity": "edds,2026-1", "reason": "Ракетная опасность", **more},
                {
                    "at": self.since,
                    "kind": "created",
                    "entity": "c-1",
                    "target": "zone:dma-1",
                    "action": "unlock",
                    **more,
                },
                {"at": self.since, "kind": "sent", "entity": "c-1", "target": "zone:dma-1", "action": "unlock", **more},
            ]
            for row in self.devices():
                if row["answered_at"] is not None:
                    kind = "failed" if row["answered"] == "failed" else "acked"
                    lines.append({"at": datetime.fromisoformat(row["answered_at"]), "kind": kind, "entity": "c-1",
                                  "device_id": row["device_id"], "reason": row["reason"], **more})  # fmt: skip
        return [{"seq": seq, **{"mode": "none", **line}, "at": stamp(line["at"])} for seq, line in enumerate(lines, 1)]  # type: ignore[misc]


def _source(code: str, at: datetime, what: str, accepted: int, refused: int) -> Any:
    return {"code": code, "last_seen": stamp(at), "last_what": what, "accepted": accepted, "refused": refused}


def _ended() -> list[RunRow]:
    at = datetime.now(UTC).replace(hour=7, minute=30, second=0, microsecond=0) - timedelta(days=3)
    command: Any = {
        "action": "unlock",
        "expected": 9,
        "done": 9,
        "refused": 0,
        "failed": 0,
        "silent": 0,
        "p99_ms": 480.0,
    }
    return [
        {"run_id": "run-0", "scenario": "monthly_drill", "title_ru": "Ежемесячное учение", "title_en": "Monthly drill",
         "mode": "drill", "started_at": stamp(at), "event_key": "schedule", "headline": "", "zones": ["dma-2"],
         "waiting_confirmation": False, "ends_at": None, "ended_at": stamp(at + timedelta(minutes=5)),
         "started_by": None, "commands": [command]}
    ]  # fmt: skip


def _places() -> list[dict[str, Any]]:
    """The demo city's devices with the place, house and contact that the process would tell."""

    def read(name: str) -> list[Any]:
        return list(json.loads((CITY / f"{name}.geojson").read_text(encoding="utf-8"))["features"])

    sites = {one["properties"]["site_id"]: one["properties"] for one in read("sites")}
    houses = {one["properties"]["building_id"]: one["properties"] for one in read("buildings")}
    contacts = load_contacts(CITY)
    found = []
    for one in read("devices"):
        told = one["properties"]
        if told["kind"] not in KINDS:
            continue
        house = houses.get(sites.get(told["site_id"], {}).get("building_id") or "", {})
        contact = contacts.of(building_id=house["building_id"]) if house else None
        longitude, latitude = one["geometry"]["coordinates"]
        found.append(
            {
                "device_id": told["device_id"], "kind": told["kind"], "zone_id": told["zone_id"],
                "name_ru": told["name_ru"], "name_en": told["name_en"], "address": house.get("address"),
                "contact": str(contact) if contact else None, "latitude": latitude, "longitude": longitude,
            }
        )  # fmt: skip
    return sorted(found, key=lambda row: (KINDS.index(row["kind"]), row["device_id"]))


def serve(chosen: Settings, scene: str = "calm") -> tuple[Play, Server]:
    """The server, started; its port is the settings'."""
    play = Play(scene)
    path = token_path(chosen)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text("a-token-of-the-play")
    server = Server(play, path.read_text(), chosen.host, chosen.reflex_port)
    server.start()
    return play, server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", choices=SCENES)
    serve(settings(), parser.parse_args().scene)
    while True:
        time.sleep(60)
