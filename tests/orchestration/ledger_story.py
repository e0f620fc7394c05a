"""A ledger as the reflex process writes it, without sockets: its own core, engine, keys and file, and devices' answers.

One live missile alert in zone dma-2 (two doors: one opens, one stays silent and is escalated), its all-clear, and a
drill in which both doors answer. The simulator of time is the caller's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from actuation.keys import KeyRing, change
from actuation.ledger import Ledger, read_ledger
from actuation.reflex.bodies import Bodies
from actuation.reflex.book import Book
from actuation.reflex.core import Batch, Core
from actuation.reflex.register import load_register
from actuation.scenario.event import Event
from actuation.scenario.load import load_scenarios
from actuation.wire.answer import Answer, Sensed
from city.profile import load_city
from city.settings import Settings
from ingest.intake import Intake
from ingest.parcel import Parcel

ZONE = "dma-2"
DOORS = ("door-shelter-01", "door-shelter-04")


class Story:
    """Writes; `now` moves by hand."""

    def __init__(self, settings: Settings, start: datetime) -> None:
        self.settings, self.now = settings, start
        city = load_city(settings)
        change.create(settings.keys_dir, city.code)
        self.ledger = Ledger.open(settings.ledger_path)
        self.core = Core(
            city.code,
            load_scenarios(city),
            Book(load_register(city)),
            KeyRing.load(settings),
            self.ledger.next_seq,
            Bodies(settings.ledger_path.parent / "bodies"),
            live_doors=True,
        )

    def event(self, event: Event) -> list[str]:
        """Ids of the commands that it caused; they count as sent."""
        batch = Batch()
        outcome = self.core.event(event, self.now, batch)
        self.write(batch)
        sent = Batch()
        self.core.sent([self.core.book.commands[each] for each in outcome.commands], self.now, sent)
        self.write(sent)
        return outcome.commands

    def tick(self) -> list[str]:
        commands = self.event(Event("tick", f"tick {self.now.isoformat()}", self.now))
        batch = Batch()
        self.core.expire(self.now, batch)
        self.write(batch)
        return commands

    def answer(self, command_id: str, device: str, result: str, reason: str | None = None, state: str = "") -> None:
        batch = Batch()
        seq = self.core.book.commands[command_id].seq
        answer = Answer.model_construct(
            device=device, cid=command_id, seq=seq, result=result, reason=reason, state=state, at=0, n=1
        )
        assert self.core.answer(answer, self.now, batch) == "counted"
        self.write(batch)

    def sensed(self, device: str, state: str) -> None:
        batch = Batch()
        self.core.sensed(Sensed.model_construct(device=device, state=state, reading=None, at=0, n=1), self.now, batch)
        self.write(batch)

    def write(self, batch: Batch) -> None:
        self.ledger.append(batch.entries)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def doors_command(self, commands: Sequence[str], action: str) -> str:
        return next(
            each
            for each in commands
            if (effect := self.core.book.commands[each].effect).action == action
            and (effect.target.zone_id == ZONE or effect.target.device_id in DOORS)
        )


def alert(at: datetime, status: str = "Actual", kind: str = "Alert", references: str | None = None) -> Event:
    info = {
        "language": "ru-RU",
        "category": ["Safety"],
        "event": "Ракетная опасность",
        "headline": "Ракетная опасность <Центральный> & «рынок»",
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Observed",
        "expires": (at + timedelta(hours=1)).isoformat(),
    }
    identifier = f"{kind}-{at:%H%M%S}"
    body = {
        "identifier": identifier, "sender": "mchs@example.ru", "sent": at.isoformat(), "status": status,
        "msgType": kind, "scope": "Public", "info": [info],
    }  # fmt: skip
    if references:
        body["references"] = references
    return Event("alert", f"mchs@example.ru,{identifier},{at.isoformat()}", at, body, (ZONE,), "verified")


def play(settings: Settings, start: datetime) -> Story:
    story = Story(settings, start)
    first = alert(story.now)
    commands = story.event(first)
    unlock = story.doors_command(commands, "unlock")
    story.wait(0.2)
    story.answer(unlock, DOORS[0], "done", state="unlocked")
    story.sensed(DOORS[0], "unlocked")
    story.wait(10)
    batch = Batch()
    story.core.retry(story.core.book.commands[unlock], [DOORS[1]], "orchestration", story.now, batch)
    story.wait(10)
    story.core.escalate(story.core.book.commands[unlock], [DOORS[1]], "orchestration", "duty", story.now, batch)
    story.write(batch)
    story.wait(5)
    story.event(alert(story.now, kind="Cancel", references=first.key))
    for _ in range(200):
        due = story.core.program.next_due(story.core.state)
        expires = [each.expires_ms for each in story.core.book.commands.values() if not each.closed]
        if due is None and not expires:
            break
        story.wait(60)
        for command in story.tick():
            effect = story.core.book.commands[command].effect
            if effect.action == "lock":
                story.answer(command, DOORS[0], "done", state="locked")
                story.sensed(DOORS[0], "locked")
    story.wait(3600)
    press = {"scenario": "missile_alert", "press": "drill", "zones": [ZONE]}
    commands = story.event(
        Event("button", f"press {story.now.isoformat()}", story.now, press, (ZONE,), "trusted", "Иванова")
    )
    unlock = story.doors_command(commands, "unlock")
    for each in DOORS:
        story.wait(0.15)
        story.answer(unlock, each, "would_do", state="locked")
    return story


def land(settings: Settings, path: Path, since_seq: int = 0) -> int:
    """The ledger's lines as the forwarder sends them, to landing; gives how many."""
    lines = list(read_ledger(path, since_seq))
    body = b"[" + b",".join(line.model_dump_json(exclude_none=True).encode() for line in lines) + b"]"
    with Intake(settings, writer="test") as intake:
        intake.submit(Parcel("ledger_entry", "reflex", body))
        intake.flush()
        intake.seal()
    return len(lines)
