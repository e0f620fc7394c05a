"""The decision alone: who is commanded when, and that it converges whatever comes in whatever order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actuation.decide import Decision, Facts, Town, decide
from actuation.reactions import AlertRule, CameraRule, Reactions, Step
from city.layers import Device
from ingest.contracts.alert import Alert
from ingest.contracts.camera_event import CameraEvent
from ingest.contracts.device_answer import DeviceAnswer
from ingest.contracts.device_command import DeviceCommand
from ingest.contracts.incident import Incident

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def device(
    device_id: str, kind: str, actions: Sequence[str], zone_id: str = "z1", site_id: str | None = None
) -> Device:
    return Device.model_validate(
        {
            "device_id": device_id,
            "kind": kind,
            "name_ru": device_id,
            "name_en": device_id,
            "zone_id": zone_id,
            "site_id": site_id,
            "actions": list(actions),
        }
    )


DOOR_1 = device("door-1", "door", ["unlock", "lock"], "z1", "shelter-1")
DOOR_2 = device("door-2", "door", ["unlock", "lock"], "z2", "shelter-2")
SIREN = device("siren-1", "siren", ["siren_on", "siren_off"])
DISPLAY = device("display-1", "display", ["show"])
LAMP = device("lamp-1", "lamp", ["light_on", "light_off"], "z1", "crossing-1")

TOWN = Town(
    "town",
    Reactions(
        alerts=(
            AlertRule(
                name="shelter",
                categories=("Safety",),
                do=(
                    Step(action="unlock", kinds=("door",)),
                    Step(action="siren_on", kinds=("siren",)),
                    Step(action="show", kinds=("display",)),
                ),
            ),
        ),
        camera_events=(
            CameraRule(
                name="drone",
                class_names=("drone",),
                confidence=0.8,
                mode="live",
                do=(Step(action="unlock", kinds=("door",), near="zone"),),
            ),
            CameraRule(
                name="walker",
                class_names=("person",),
                confidence=0.5,
                mode="live",
                do=(Step(action="light_on", kinds=("lamp",), near="site"),),
            ),
        ),
    ),
    (DOOR_1, DOOR_2, SIREN, DISPLAY, LAMP),
    {"yard-2": "z2", "crossing-1": "z1"},
)


def alert(identifier: str = "a1", **changed: Any) -> Alert:
    info = {
        "category": ["Safety"],
        "event": "Drone attack threat",
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Likely",
        "headline": "Угроза",
        "expires": NOW + timedelta(minutes=15),
    }
    info |= {name: changed.pop(name) for name in list(changed) if name in info}
    message = {
        "identifier": identifier,
        "sender": "112@town",
        "sent": NOW,
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        "info": [info],
    }
    return Alert.model_validate({**message, **changed})


def camera(class_name: str, site_id: str, confidence: float = 0.9, at: datetime = NOW) -> CameraEvent:
    return CameraEvent(
        event_id=f"{class_name}-{at:%H%M%S}",
        camera_id=f"cam-{site_id}",
        site_id=site_id,
        event_time=at,
        class_name=class_name,
        confidence=confidence,
    )


def answer(command: DeviceCommand, result: str = "done", at: datetime = NOW) -> DeviceAnswer:
    return DeviceAnswer.model_validate(
        {
            "command_id": command.command_id,
            "attempt": command.attempt,
            "device_id": command.device_id,
            "answered_at": at,
            "result": result,
        }
    )


def acts(decision: Decision) -> set[tuple[str, str, str]]:
    return {(command.device_id, command.action, command.mode) for command in decision.commands}


def test_a_critical_alert_opens_shelters_sounds_sirens_and_shows_its_headline() -> None:
    decision = decide(TOWN, Facts(alerts=[alert()]), NOW)
    assert acts(decision) == {
        ("door-1", "unlock", "live"),
        ("door-2", "unlock", "live"),
        ("siren-1", "siren_on", "live"),
        ("display-1", "show", "live"),
    }
    assert [command.text for command in decision.commands if command.action == "show"] == ["Угроза"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"severity": "Moderate"}, "not severe"),
        ({"urgency": "Future"}, "not urgent"),
        ({"category": ["Met"]}, "no rule for the category"),
        ({"status": "System"}, "for the warning systems themselves"),
        ({"msgType": "Cancel"}, "a cancellation"),
        ({"expires": NOW}, "expired"),
        ({"expires": None, "sent": NOW - timedelta(days=365)}, "last year's"),
    ],
)
def test_an_alert_that_calls_for_nothing(changed: dict[str, Any], why: str) -> None:
    assert decide(TOWN, Facts(alerts=[alert(**changed)]), NOW).is_empty, why


@pytest.mark.parametrize("msg_type", ["Update", "Cancel"])
def test_an_alert_that_was_replaced_acts_no_more(msg_type: str) -> None:
    later = alert("a2", msgType=msg_type, references=f"112@town,a1,{NOW.isoformat()}", severity="Minor")
    assert decide(TOWN, Facts(alerts=[alert(), later]), NOW).is_empty


@pytest.mark.parametrize("status", ["Exercise", "Test", "Draft"])
def test_only_an_actual_alert_moves_anything(status: str) -> None:
    decision = decide(TOWN, Facts(alerts=[alert(status=status)]), NOW)
    assert {command.mode for command in decision.commands} == {"drill"}


def test_a_camera_acts_near_what_it_saw() -> None:
    seen = [camera("drone", "yard-2"), camera("person", "crossing-1")]
    assert acts(decide(TOWN, Facts(camera_events=seen), NOW)) == {
        ("door-2", "unlock", "live"),
        ("lamp-1", "light_on", "live"),
    }


@pytest.mark.parametrize(
    "event",
    [
        camera("drone", "yard-2", confidence=0.79),
        camera("dog", "yard-2"),
        camera("drone", "yard-2", at=NOW - timedelta(minutes=6)),
        camera("drone", "yard-2", at=NOW + timedelta(minutes=6)),
    ],
)
def test_a_finding_that_calls_for_nothing(event: CameraEvent) -> None:
    assert decide(TOWN, Facts(camera_events=[event]), NOW).is_empty


def test_a_silent_device_is_asked_again_and_then_a_person_is_told() -> None:
    now, commands, incidents = NOW, {}, []
    attempts = []
    for _ in range(400):
        decision = decide(TOWN, Facts(alerts=[alert()], commands=list(commands.values()), incidents=incidents), now)
        for command in decision.commands:
            commands[command.command_id] = command
            attempts.append((command.device_id, command.attempt))
        incidents += decision.incidents
        now += timedelta(seconds=0.5)
    assert sorted(attempts) == sorted((d, n) for d in ("door-1", "door-2", "siren-1", "display-1") for n in (1, 2, 3))
    assert [(each.kind, each.severity, each.status) for each in incidents] == [
        ("command_unanswered", "critical", "open")
    ] * 4


def test_a_late_answer_closes_the_incident() -> None:
    command = decide(TOWN, Facts(alerts=[alert()]), NOW).commands[0].model_copy(update={"attempt": 3})
    later = NOW + timedelta(minutes=2)
    (incident,) = decide(TOWN, Facts(commands=[command]), later).incidents
    facts = Facts(commands=[command], incidents=[incident], answers=[answer(command, at=later)])
    (closed,) = decide(TOWN, facts, later).incidents
    assert (closed.incident_id, closed.status) == (incident.incident_id, "closed")
    assert decide(TOWN, Facts(commands=[command], incidents=[closed], answers=facts.answers), later).is_empty


def test_a_door_that_could_not_open_is_an_incident_at_once() -> None:
    command = decide(TOWN, Facts(alerts=[alert()]), NOW).commands[0]
    (incident,) = decide(TOWN, Facts(commands=[command], answers=[answer(command, "failed")]), NOW).incidents
    assert incident.severity == "critical"


def test_no_reaction_may_lock_a_door() -> None:
    with pytest.raises(ValueError, match="way out"):
        Step(action="lock", kinds=("door",))


alerts = st.builds(
    alert,
    identifier=st.sampled_from(["a1", "a2", "a3"]),
    status=st.sampled_from(["Actual", "Exercise", "System", "Test", "Draft"]),
    msgType=st.sampled_from(["Alert", "Update", "Cancel", "Ack", "Error"]),
    severity=st.sampled_from(["Extreme", "Severe", "Moderate", "Minor", "Unknown"]),
    urgency=st.sampled_from(["Immediate", "Expected", "Future", "Past", "Unknown"]),
    expires=st.one_of(st.none(), st.integers(-600, 600).map(lambda s: NOW + timedelta(seconds=s))),
)


@given(st.lists(alerts, max_size=4, unique_by=lambda each: each.identifier))
def test_nothing_moves_without_an_actual_critical_alert(found: list[Alert]) -> None:
    live = [command for command in decide(TOWN, Facts(alerts=found), NOW).commands if command.mode == "live"]
    actual = {
        each.identifier
        for each in found
        if each.status == "Actual"
        and each.msgType in ("Alert", "Update")
        and each.info[0].severity in ("Extreme", "Severe")
        and each.info[0].urgency in ("Immediate", "Expected")
    }
    assert {command.trigger_key.split("|")[1] for command in live} <= actual


@given(
    st.lists(alerts, max_size=3, unique_by=lambda each: each.identifier),
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["nothing", "answer", "refuse"])), max_size=12),
)
def test_it_converges_and_a_repeat_of_everything_does_nothing_new(
    found: list[Alert], steps: list[tuple[float, str]]
) -> None:
    """Whatever devices do and however often it runs: each attempt once, at most three, and silence at the end."""
    commands: dict[str, DeviceCommand] = {}
    answers: dict[str, DeviceAnswer] = {}
    incidents: dict[str, Incident] = {}
    sent: list[tuple[str, int]] = []
    now = NOW

    def settle() -> Decision:
        facts = Facts(found, (), list(commands.values()), list(answers.values()), list(incidents.values()))
        decision = decide(TOWN, facts, now)
        for command in decision.commands:
            commands[command.command_id] = command
            sent.append((command.command_id, command.attempt))
        incidents.update({incident.incident_id: incident for incident in decision.incidents})
        return decision

    for seconds, what in steps:
        settle()
        now += timedelta(seconds=seconds)
        if what != "nothing" and commands:
            command = list(commands.values())[len(sent) % len(commands)]
            answers[command.command_id] = answer(command, "done" if what == "answer" else "refused", now)
    for _ in range(10):
        settle()
        now += timedelta(seconds=30)
    assert settle().is_empty
    assert len(sent) == len(set(sent))
    assert max((attempt for _, attempt in sent), default=1) <= TOWN.reactions.attempts
    told = {incident.subject for incident in incidents.values()}
    silent = {each.device_id for each in commands.values() if each.command_id not in answers}
    assert silent <= told


def test_the_shipped_reactions_fit_the_shipped_city() -> None:
    from actuation.facts import load_town
    from city.settings import Settings

    town = load_town(Settings(home=Path("/nonexistent")))
    kinds = {command.action for command in decide(town, Facts(alerts=[alert()]), NOW).commands}
    assert kinds == {"unlock", "siren_on", "show"}
