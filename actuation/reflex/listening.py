"""What comes by MQTT, as events: which topics a city's scenarios need, and what each message is to the engine."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from actuation.scenario.condition import watched
from actuation.scenario.event import Event
from actuation.scenario.program import Program
from actuation.scenario.trigger import StateTrigger
from actuation.topics import control_topic
from ingest.contracts import CONTRACTS
from ingest.contracts.contract import Contract
from ingest.topics import PREFIX

log = logging.getLogger(__name__)

OWN_FEEDS = ("camera_event", "incident")
"""Feeds that are a kind of event by themselves; any other is a value of the city state."""


class Listening:
    """kinds: events that some scenario looks at; others are not made at all."""

    def __init__(self, city: str, program: Program) -> None:
        self._city = city
        self.kinds: frozenset[str] = frozenset(_kinds(program))
        self._states = frozenset(_state_feeds(program))
        own = {feed for feed in OWN_FEEDS if feed in self.kinds}
        self.feeds = frozenset(feed for feed in own | self._states if feed in CONTRACTS)

    def topics(self) -> tuple[str, ...]:
        control = tuple(control_topic(self._city, what, "+") for what in ("answer", "sensed", "cap"))  # type: ignore[arg-type]
        return control + tuple(f"{PREFIX}/{self._city}/{feed}/+" for feed in sorted(self.feeds))

    def events(self, feed: str, payload: bytes) -> list[Event]:
        """A feed's message, or array of messages, checked by its contract; what is wrong is the gateway's to keep."""
        contract = CONTRACTS.get(feed)
        if contract is None or feed not in self.feeds:
            return []
        try:
            found = orjson.loads(payload)
        except ValueError:
            return []
        events: list[Event] = []
        for body in found if isinstance(found, list) else (found,):
            event = self._event(contract, feed, body)
            if event is not None:
                events += event
        return events

    def _event(self, contract: type[Contract], feed: str, body: Any) -> list[Event] | None:
        try:
            contract.model_validate_json(orjson.dumps(body))
        except (ValidationError, TypeError):
            return None
        spec = contract.spec
        key = ",".join(str(body.get(name)) for name in spec.key)
        at = moment(body.get(spec.event_time))
        made = []
        if feed in OWN_FEEDS and feed in self.kinds:
            made.append(Event(feed, f"{feed}:{key}", at, body, trust="trusted"))  # type: ignore[arg-type]
        if feed in self._states:
            state = {**body, "feed": feed, "entity": str(body.get(spec.entity))}
            made.append(Event("state", f"state:{feed}:{key}", at, state, trust="trusted"))
        return made


def moment(text: object) -> datetime:
    """RFC 3339 as UTC; now, where there is none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def _kinds(program: Program) -> Iterable[str]:
    for scenario in program.scenarios.values():
        yield from (trigger.on for trigger in (*scenario.triggers, *scenario.ends))


def _state_feeds(program: Program) -> Iterable[str]:
    for scenario in program.scenarios.values():
        triggers = (*scenario.triggers, *scenario.ends)
        yield from (trigger.feed for trigger in triggers if isinstance(trigger, StateTrigger))
        steps = (*scenario.steps, *scenario.at_end)
        conditions = [*scenario.conditions, *(each for part in (*triggers, *steps) for each in part.when)]
        yield from (name.split("/", 1)[0] for each in conditions for name in watched(each))
