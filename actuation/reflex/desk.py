"""What the API answers: reads of the Runner's state, and work that is posted into its loop."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from actuation.ledger import NewEntry, open_reader
from actuation.reflex.book import Command
from actuation.reflex.forward import Forwarder
from actuation.reflex.journal import milliseconds, name_of
from actuation.reflex.listening import moment
from actuation.reflex.runner import Runner, StoppedError
from actuation.reflex.server import RefusedError
from actuation.reflex.shapes import (
    CapVerdict,
    DeviceRow,
    Draft,
    Role,
    RunRow,
    SourceStatus,
    Status,
    TimelineLine,
)
from actuation.reflex.texts import Texts
from actuation.scenario.event import Event
from city.settings import Settings
from ingest.contracts.ledger_entry import LedgerEntry

PATIENCE_S = 8.0
EVENT_KINDS = ("incident", "check_failed", "feed_silent", "camera_event", "state", "device_message")


class RunnerDesk:
    """One of a holder's life; a process that only waits for the lease serves no API."""

    def __init__(self, settings: Settings, runner: Runner, forwarder: Forwarder, texts: Texts) -> None:
        self._settings, self._runner, self._forwarder, self._texts = settings, runner, forwarder, texts
        self._started = datetime.now(UTC)

    def health(self) -> dict[str, Any]:
        runner = self._runner
        return {"ok": runner.link.connected and runner.lease.fresh(), "holder": runner.lease.known.holder,
                "broker": runner.why_down or "connected"}  # fmt: skip

    def status(self) -> Status:
        runner = self._runner
        claim = runner.lease.known
        counts = {name: int(getattr(runner.counts, name)) for name in runner.counts.__dataclass_fields__}
        with runner.lock:
            active = len(runner.core.runs.rows(past=False))
            live_doors = runner.core.live_doors
        return {
            "now": datetime.now(UTC).isoformat(),
            "holder": {
                "holder": claim.holder,
                "epoch": claim.epoch,
                "mine": runner.lease.mine,
                "since": self._started.isoformat(),
            },
            "broker": {
                "connected": runner.link.connected,
                "why": runner.why_down,
                "connects": runner.link.connects,
                "waiting": runner.link.waiting,
            },
            "live_doors": live_doors,
            "sources": self._sources(),
            "counts": {**counts, "active_runs": active, "refused": runner.refusals.total},
            "latency_ms": _quantiles(runner.latencies_ms),
            "ledger": {
                "ledger_id": runner.ledger.ledger_id,
                "seq": runner.last_line[0],
                "not_in_the_lake_yet": self._forwarder.behind,
            },
        }

    def _sources(self) -> list[SourceStatus]:
        return [
            {
                "code": code,
                "last_seen": count.last_seen.isoformat() if count.last_seen else None,
                "last_what": count.last_what,
                "accepted": count.accepted,
                "refused": count.refused,
            }
            for code, count in sorted(self._runner.cap.counts.items())
        ]

    def runs(self, past: bool, since: str | None) -> Sequence[RunRow]:
        with self._runner.lock:
            rows = self._runner.core.runs.rows(past=past, since=moment(since) if since else None)
            return [self._with_commands(row) for row in rows]

    def _with_commands(self, row: RunRow) -> RunRow:
        commands = [command.row() for command in self._runner.core.book.of_run(row["run_id"])]
        return cast("RunRow", {**row, "commands": commands})

    def run_devices(self, run_id: str) -> Sequence[DeviceRow]:
        with self._runner.lock:
            core = self._runner.core
            if core.runs.row(run_id) is None:
                raise RefusedError(404, "no such run", "run_id", run_id, "Take one of GET /runs")
            commands = core.book.of_run(run_id)
            ids = {device_id for command in commands for device_id in command.expected}
            return core.book.device_rows(ids, commands)

    def devices(self) -> Sequence[DeviceRow]:
        with self._runner.lock:
            book = self._runner.core.book
            return book.device_rows(each.device_id for each in book.register.places.values() if each.actions)

    def press(self, body: Mapping[str, Any], by: str, role: Role) -> Mapping[str, Any]:
        self._must_hold()
        runner, press = self._runner, body["press"]
        if body["scenario"] not in runner.core.program.scenarios:
            known = ", ".join(sorted(runner.core.program.scenarios))
            raise RefusedError(422, "no such scenario", "scenario", body["scenario"], f"One of: {known}")
        zones = [str(zone) for zone in body.get("zones") or ()]
        unknown = sorted(set(zones) - runner.core.book.register.zones)
        if unknown:
            raise RefusedError(422, "no such zone", "zones", unknown[0], "Take zone_ids of zones.geojson")
        now = datetime.now(UTC)
        key = f"press:{uuid.uuid4().hex}"
        said = {"scenario": body["scenario"], "press": press, "zones": zones, "run_id": body.get("run_id"),
                "note": body.get("note")}  # fmt: skip
        event = Event("button", key, now, said, tuple(zones), "verified", by)
        line = NewEntry.model_construct(
            at=now, kind="pressed", entity=name_of(key), mode="none", action=press, scenario=body["scenario"],
            run_id=body.get("run_id"), by=by[:128], trigger_kind="button", trigger_key=key,
            detail=orjson.dumps({**said, "role": role}).decode()[:9_000],
        )  # fmt: skip
        outcome = wait(runner.event(event, [line]))
        if not outcome.changed:
            remedy = "For confirm: another person than who started; for all_clear and stop: an active run"
            raise RefusedError(409, "the button changes nothing now", "press", press, remedy)
        return {
            "event_key": key,
            "runs": outcome.runs or self._runs_of(key),
            "commands": len(outcome.commands),
            "effects": outcome.effects,
        }

    def _runs_of(self, key: str) -> list[str]:
        """Runs that an event started without any effect yet: they wait for a confirmation."""
        with self._runner.lock:
            return [row["run_id"] for row in self._runner.core.runs.rows(past=False) if row["event_key"] == key]

    def cap(self, source: str, data: bytes) -> CapVerdict:
        self._must_hold()
        return cast("CapVerdict", wait(self._runner.alert(source, data, "webhook"), 30.0))

    def too_large(self, source: str, size: int) -> None:
        """Refused unread; the row in quarantine has no original."""
        self._runner.refuse(
            "alert", f"cap:{source}"[:200], b"", f"too large: more than {size} bytes", "body", str(size)
        )

    def text(self, source: str, text: str) -> Sequence[Draft]:
        self._must_hold()
        return self._texts.take(source, text)

    def drafts(self) -> Sequence[Draft]:
        return self._texts.waiting()

    def decide_draft(self, draft_id: str, confirm: bool, by: str) -> CapVerdict:
        self._must_hold()
        return self._texts.decide(draft_id, confirm, by)

    def event(self, body: Mapping[str, Any], by: str | None) -> Mapping[str, Any]:
        self._must_hold()
        kind, key, said = body.get("kind"), body.get("key"), body.get("body")
        if kind not in EVENT_KINDS:
            raise RefusedError(422, "unknown kind", "kind", kind, f"One of: {', '.join(EVENT_KINDS)}")
        if not isinstance(key, str) or not 0 < len(key) <= 400:
            raise RefusedError(422, "no key", "key", key, "A text that names this event for ever")
        if not isinstance(said, dict):
            raise RefusedError(422, "no body", "body", said, "Send the event's fields as an object")
        zones = tuple(str(zone) for zone in body.get("zones") or ())
        at = moment(body.get("at")) if body.get("at") else datetime.now(UTC)
        event = Event(kind, key, min(at, datetime.now(UTC)), said, zones, "trusted", by)
        outcome = wait(self._runner.event(event))
        return {
            "event_key": key,
            "runs": outcome.runs or self._runs_of(key),
            "commands": len(outcome.commands),
            "effects": outcome.effects,
        }

    def retry(self, command_id: str, body: Mapping[str, Any], by: str) -> Mapping[str, Any]:
        self._must_hold()
        command = self._command(command_id)
        devices = self._devices_of(command, body)
        with self._runner.lock:
            later = [each for each in command.expected if not self._runner.core.book.is_newest(command, each)]
        if later:
            raise RefusedError(409, "a later command went to the device", "device_ids", later[0], "Retry that one")
        if command.closed or command.expires_ms <= milliseconds(datetime.now(UTC)):
            ended = command.row()["expires_at"]
            raise RefusedError(409, "the command has expired", "command_id", command_id, f"It ended {ended}")
        number = wait(
            self._runner.call(lambda turn, now: self._runner.core.retry(command, devices, by, now, turn.batch))
        )
        return {"command_id": command_id, "seq": number, "device_ids": devices}

    def escalate(self, command_id: str, body: Mapping[str, Any], by: str) -> Mapping[str, Any]:
        self._must_hold()
        command = self._command(command_id)
        devices, to = self._devices_of(command, body), str(body.get("to") or "duty")[:128]
        wait(self._runner.call(lambda turn, now: self._runner.core.escalate(command, devices, by, to, now, turn.batch)))
        return {"event_key": command_id, "runs": [command.effect.cause.run_id], "commands": 0, "effects": 0}

    def notes(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Lines of kind notified or published; anything else is the process's own to write."""
        entries = body.get("entries")
        if not isinstance(entries, list) or len(entries) > 1_000:
            raise RefusedError(422, "no list of lines", "entries", str(entries)[:80], "At most 1,000 lines")
        made = []
        for each in entries:
            kind = each.get("kind") if isinstance(each, dict) else None
            if kind not in ("notified", "published"):
                raise RefusedError(422, "unknown kind", "entries.kind", kind, "One of: notified, published")
            try:
                made.append(NewEntry.model_validate({"mode": "none", **each, "at": datetime.now(UTC)}))
            except ValueError as error:
                raise RefusedError(422, str(error)[:300], "entries", kind, "See docs/contracts/ledger_entry") from None
        self._must_hold()
        self._runner.note(made)
        return {"lines": len(made)}

    def timeline(self, since_seq: int, limit: int, wait_s: float) -> Sequence[TimelineLine]:
        end = time.monotonic() + wait_s
        runner = self._runner
        with runner.grown:
            while runner.last_line[0] <= since_seq and (left := end - time.monotonic()) > 0:
                runner.grown.wait(left)
        with open_reader(self._settings.ledger_path) as ledger:
            return [_line(entry) for entry in ledger.read(since_seq, limit)]

    def _must_hold(self) -> None:
        lease = self._runner.lease
        if not lease.fresh() or not self._runner.link.connected:
            why = self._runner.why_down or "the lease is not ours"
            raise RefusedError(
                409,
                f"this process may not act now: {why}",
                "holder",
                lease.known.holder,
                "Ask the holder; see the broker",
            )

    def _command(self, command_id: str) -> Command:
        with self._runner.lock:
            command = self._runner.core.book.commands.get(command_id)
        if command is None or command.refused_to_send is not None:
            raise RefusedError(404, "no such command", "command_id", command_id, "Take one of GET /runs")
        return command

    @staticmethod
    def _devices_of(command: Command, body: Mapping[str, Any]) -> list[str]:
        """Those named, of the command's; all silent ones where none is."""
        named = body.get("device_ids")
        if named:
            unknown = sorted(set(map(str, named)) - command.expected)
            if unknown:
                raise RefusedError(
                    422, "not a device of this command", "device_ids", unknown[0], "See its run's devices"
                )
            return sorted(map(str, named))
        return sorted(command.silent())


def wait(future: Future[Any], seconds: float = PATIENCE_S) -> Any:
    try:
        return future.result(seconds)
    except StoppedError as error:
        raise RefusedError(503, str(error), "holder", None, "Ask the process that holds the lease now") from None
    except LateError:
        raise RefusedError(
            503, f"not done within {seconds:g} s", "broker", None, "Look at GET /status: is the broker there?"
        ) from None


def _quantiles(values: Any) -> dict[str, float | None]:
    """Of a turn: from the first message read to its commands handed to the kernel."""
    found = sorted(values)
    if not found:
        return {"p50": None, "p99": None}
    return {f"p{share}": round(found[min(len(found) - 1, len(found) * share // 100)], 3) for share in (50, 99)}


def _line(entry: LedgerEntry) -> TimelineLine:
    found = entry.model_dump(mode="json", exclude={"prev_hash", "hash", "ledger_id"})
    return cast("TimelineLine", found)
