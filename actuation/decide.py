"""What is due now: first commands, repeats, incidents. A pure function of facts and the clock.

Called again and again with newer facts it converges: a command's id derives from its cause, so that what was
sent is known, whoever sent it, and redelivery of the cause does nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from actuation.reactions import Reactions, Step
from actuation.triggers import Trigger, alert_triggers, camera_triggers
from city.layers import Device
from ingest.contracts.alert import Alert
from ingest.contracts.camera_event import CameraEvent
from ingest.contracts.device_answer import DeviceAnswer
from ingest.contracts.device_command import DeviceCommand
from ingest.contracts.incident import Incident


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known. commands, answers: the newest of each command_id; incidents: the newest of each incident_id."""

    alerts: Sequence[Alert] = ()
    camera_events: Sequence[CameraEvent] = ()
    commands: Sequence[DeviceCommand] = ()
    answers: Sequence[DeviceAnswer] = ()
    incidents: Sequence[Incident] = ()


@dataclass(frozen=True, slots=True)
class Town:
    """What does not change while it runs. zones: site → zone, for steps that act near a camera."""

    city: str
    reactions: Reactions
    devices: Sequence[Device]
    zones: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """Publish these. wait_until: an answer is due by then; None: nothing is under way."""

    commands: tuple[DeviceCommand, ...] = ()
    incidents: tuple[Incident, ...] = ()
    wait_until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return not self.commands and not self.incidents


def decide(town: Town, facts: Facts, now: datetime) -> Decision:
    """First commands for new causes, repeats for silent devices, incidents for those that stay silent or fail."""
    sent = {command.command_id: command for command in facts.commands}
    answers = {answer.command_id: answer for answer in facts.answers}
    known = {incident.incident_id: incident for incident in facts.incidents}
    firsts = {command.command_id: command for command in _wanted(town, facts, now) if command.command_id not in sent}
    repeats: list[DeviceCommand] = []
    incidents: list[Incident] = []
    waits: list[datetime] = []
    for command in sent.values():
        answer = answers.get(command.command_id)
        incident = known.get(incident_id(command))
        due = command.issued_at + timedelta(seconds=town.reactions.answer_s)
        if answer is not None:
            incidents += _after_answer(command, answer, incident, now)
        elif incident is not None:
            continue
        elif now < due:
            waits.append(due)
        elif command.attempt < town.reactions.attempts and now < command.expires_at:
            repeats.append(_attempt(town.reactions, command, command.attempt + 1, now))
        else:
            incidents.append(_unanswered(command, now))
    return Decision((*firsts.values(), *repeats), tuple(incidents), min(waits, default=None))


def command_id(city: str, trigger: Trigger, device: Device, action: str) -> str:
    """The same cause, device and action give the same id, for ever."""
    cause = "\n".join((city, trigger.feed, trigger.key, device.device_id, action))
    return sha256(cause.encode()).hexdigest()[:32]


def incident_id(command: DeviceCommand) -> str:
    return f"command_unanswered-{command.command_id}"


def _wanted(town: Town, facts: Facts, now: datetime) -> Iterator[DeviceCommand]:
    triggers = [
        *alert_triggers(facts.alerts, town.reactions, now),
        *camera_triggers(facts.camera_events, town.reactions, now),
    ]
    for trigger in triggers:
        for step in trigger.steps:
            for device in _devices(town, trigger, step):
                yield _first(town, trigger, step, device, now)


def _devices(town: Town, trigger: Trigger, step: Step) -> Iterator[Device]:
    """Those that the step names, that can do it, and that are near enough."""
    zone = town.zones.get(trigger.site_id or "")
    for device in town.devices:
        named = device.kind in step.kinds or device.device_id in step.device_ids
        near = {
            "city": True,
            "zone": zone is not None and device.zone_id == zone,
            "site": trigger.site_id is not None and device.site_id == trigger.site_id,
        }[step.near]
        if named and near and step.action in device.actions:
            yield device


def _first(town: Town, trigger: Trigger, step: Step, device: Device, now: datetime) -> DeviceCommand:
    text = (step.text or trigger.text) if step.action == "show" else None
    return DeviceCommand(
        command_id=command_id(town.city, trigger, device, step.action),
        device_id=device.device_id,
        action=step.action,
        issued_at=now,
        expires_at=now + timedelta(seconds=town.reactions.lasts_s),
        attempt=1,
        mode=trigger.mode,
        trigger_feed=trigger.feed,
        trigger_key=trigger.key,
        text=text[:512] if text else None,
    )


def _attempt(reactions: Reactions, command: DeviceCommand, attempt: int, now: datetime) -> DeviceCommand:
    expires_at = now + timedelta(seconds=reactions.lasts_s)
    return command.model_copy(update={"attempt": attempt, "issued_at": now, "expires_at": expires_at})


def _after_answer(
    command: DeviceCommand, answer: DeviceAnswer, incident: Incident | None, now: datetime
) -> Iterator[Incident]:
    """A late answer closes the incident of silence; one that says that nothing was done opens one in earnest."""
    done = answer.result in ("done", "would_do")
    if done and incident is not None and incident.status == "open":
        yield incident.model_copy(update={"status": "closed", "event_time": now, "detail": f"{answer.result}"})
    elif not done and incident is None and command.mode == "live":
        yield _incident(
            command,
            now,
            f"{command.device_id}: не выполнено {command.action} · {command.device_id}: {command.action} was not done",
            f"{answer.result}: {answer.reason or '—'}",
        )


def _unanswered(command: DeviceCommand, now: datetime) -> Incident:
    return _incident(
        command,
        now,
        f"{command.device_id} молчит: {command.action} · {command.device_id} is silent: {command.action}",
        f"Попыток: {command.attempt}. Отправьте человека на место и проверьте связь. · "
        f"Attempts: {command.attempt}. Send a person there and check the connection.",
    )


def _incident(command: DeviceCommand, now: datetime, title: str, detail: str) -> Incident:
    return Incident(
        incident_id=incident_id(command),
        event_time=now,
        status="open",
        kind="command_unanswered",
        severity="critical" if command.mode == "live" else "minor",
        subject=command.device_id,
        title=title,
        detail=f"{detail} ({command.trigger_feed}: {command.trigger_key})",
    )
