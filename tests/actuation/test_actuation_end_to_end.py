"""An alert on the broker, through the gateway's city state, to a device and back; silence reaches a person."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actuation.act import act
from actuation.decide import Town
from actuation.facts import load_town
from actuation.publish import publish
from actuation.reactions import AlertRule, Reactions, Step
from city.settings import Settings
from city_state.read import latest
from ingest.contracts.alert import Alert

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def small_town(settings: Settings, *device_ids: str) -> Town:
    """The shipped city with few devices and little patience."""
    town = load_town(settings)
    rules = (AlertRule(name="shelter", do=(Step(action="unlock", device_ids=device_ids),)),)
    reactions = Reactions(answer_s=1, attempts=3, alerts=rules)
    return Town(town.city, reactions, [each for each in town.devices if each.device_id in device_ids], town.zones)


def send_alert(settings: Settings, status: str = "Actual") -> None:
    now = datetime.now(UTC)
    info = {
        "category": ["Safety"],
        "event": "Угроза атаки БПЛА",
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Likely",
        "expires": now + timedelta(minutes=10),
    }
    message = {
        "identifier": f"alert-{now:%H%M%S%f}",
        "sender": "112@town",
        "sent": now,
        "status": status,
        "msgType": "Alert",
        "scope": "Public",
        "info": [info],
    }
    publish(settings, [Alert.model_validate(message)])
    wait_for(lambda: latest(settings, "alert").height)


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain"
        time.sleep(0.05)
    return found


def stored(settings: Settings, feed: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in latest(settings, feed)["payload"]]


def test_a_door_opens_once_however_often_the_alert_comes(settings: Settings, devices: Callable[..., Any]) -> None:
    town = small_town(settings, "door-shelter-01")
    door = devices("door-shelter-01")
    send_alert(settings)
    report = act(settings, town=town)
    assert [command.device_id for command in report.commands] == ["door-shelter-01"]
    assert report.incidents == []
    assert [answer["result"] for answer in stored(settings, "device_answer")] == ["done"]
    again = act(settings, town=town)
    assert (again.commands, again.incidents, len(door.got)) == ([], [], 1)


def test_a_device_that_hears_the_second_time_is_asked_twice(settings: Settings, devices: Callable[..., Any]) -> None:
    door = devices("door-shelter-01", deaf_for=1)
    send_alert(settings)
    report = act(settings, town=small_town(settings, "door-shelter-01"))
    assert [command["attempt"] for command in door.got] == [1, 2]
    assert report.incidents == []


def test_a_silent_device_becomes_an_incident_in_the_city_state(settings: Settings, devices: Callable[..., Any]) -> None:
    door, deaf = devices("door-shelter-01"), devices("door-shelter-02", deaf_for=100)
    send_alert(settings)
    report = act(settings, town=small_town(settings, "door-shelter-01", "door-shelter-02"))
    assert (len(door.got), len(deaf.got)) == (1, 3)
    assert [incident.subject for incident in report.incidents] == ["door-shelter-02"]
    (incident,) = wait_for(lambda: stored(settings, "incident"))
    assert (incident["kind"], incident["severity"], incident["status"]) == ("command_unanswered", "critical", "open")


def test_an_exercise_moves_nothing(settings: Settings, devices: Callable[..., Any]) -> None:
    door = devices("door-shelter-01")
    send_alert(settings, status="Exercise")
    act(settings, town=small_town(settings, "door-shelter-01"))
    assert [command["mode"] for command in door.got] == ["drill"]
    assert [answer["result"] for answer in stored(settings, "device_answer")] == ["would_do"]
