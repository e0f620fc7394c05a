"""The loop of an actuation run: decide, publish, wait for answers, until nothing is due and nothing is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from actuation.decide import Decision, Facts, Town, decide
from actuation.facts import load_town, read_facts
from actuation.publish import publish
from city.settings import Settings
from ingest.contracts import Contract
from ingest.contracts.device_command import DeviceCommand
from ingest.contracts.incident import Incident

POLL_S = 0.25
LONGEST = timedelta(minutes=15)


@dataclass(slots=True)
class ActReport:
    """What a run sent: commands and incidents in order, and for how long it ran."""

    commands: list[DeviceCommand] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    seconds: float = 0.0


def act(
    settings: Settings,
    *,
    send: Callable[[list[Contract]], object] | None = None,
    read: Callable[[datetime], Facts] | None = None,
    town: Town | None = None,
) -> ActReport:
    """Runs until every command is answered or escalated. What was sent counts as sent before the state shows it."""
    send = send or (lambda messages: publish(settings, messages))
    read = read or (lambda now: read_facts(settings, now))
    town = town or load_town(settings)
    report = ActReport()
    began = time.monotonic()
    while time.monotonic() - began < LONGEST.total_seconds():
        now = datetime.now(UTC)
        decision = decide(town, _with_sent(read(now), report), now)
        _send(decision, report, send)
        if decision.is_empty and decision.wait_until is None:
            break
        time.sleep(POLL_S)
    report.seconds = round(time.monotonic() - began, 3)
    return report


def is_due(settings: Settings, town: Town, now: datetime) -> Decision:
    """What a run would do at once; for the sensor that asks for one."""
    return decide(town, read_facts(settings, now), now)


def _send(decision: Decision, report: ActReport, send: Callable[[list[Contract]], object]) -> None:
    messages: list[Contract] = [*decision.commands, *decision.incidents]
    if messages:
        send(messages)
        report.commands += decision.commands
        report.incidents += decision.incidents


def _with_sent(facts: Facts, report: ActReport) -> Facts:
    """The state lags behind by the gateway's flush: our own messages are laid over it."""
    commands = {command.command_id: command for command in facts.commands}
    commands |= {each.command_id: each for each in _newer(report.commands, commands)}
    incidents = {incident.incident_id: incident for incident in facts.incidents}
    incidents |= {each.incident_id: each for each in report.incidents}
    return replace(facts, commands=tuple(commands.values()), incidents=tuple(incidents.values()))


def _newer(ours: Iterable[DeviceCommand], known: dict[str, DeviceCommand]) -> list[DeviceCommand]:
    return [each for each in ours if each.command_id not in known or known[each.command_id].attempt <= each.attempt]
