"""Retry, escalate, reconcile as decisions; and against the reflex process's real HTTP server with a desk behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.lib import drills, reconcile, unanswered
from orchestration.lib.drills import House
from orchestration.lib.unanswered import ANSWER_S, ATTEMPTS, Known, decide

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)


def command(age_s: float = ANSWER_S + 1, command_id: str = "c", expires_s: float = 3_600) -> dict[str, Any]:
    return {
        "command_id": command_id,
        "created_at": (NOW - timedelta(seconds=age_s)).isoformat(),
        "expires_at": (NOW + timedelta(seconds=expires_s)).isoformat(),
        "expected": 2,
        "done": 1,
    }


def run(*commands: dict[str, Any], ended: bool = False, mode: str = "live") -> Any:
    return {
        "run_id": "r", "title_ru": "Ракетная опасность", "title_en": "Missile alert", "mode": mode,
        "ended_at": NOW.isoformat() if ended else None, "commands": list(commands),
    }  # fmt: skip


def device(answered: str | None = None, reason: str | None = None, **more: Any) -> Any:
    return {
        "device_id": "door-1", "command_id": "c", "answered": answered, "reason": reason, "address": "Садовая, 11",
        "contact": "Школа № 2, вахта, +7 4850 55-01-39", "name_ru": "Дверь", "name_en": "Door", "latitude": 57.6,
        "longitude": 39.9, "mode": "live", "commanded": "unlock", "answered_at": None, "sensed": None, **more,
    }  # fmt: skip


def test_a_silent_device_is_tried_again_and_then_a_person_is_told() -> None:
    known, at, sent = Known(), NOW, []
    for _ in range(12):  # the sensor looks each five seconds
        decision = decide([run(command())], {"r": [device()]}, known, at)
        known, at = decision.known, at + timedelta(seconds=5)
        sent += [(len(decision.retries), len(decision.escalations))]
    assert [each for each in sent if each != (0, 0)] == [(1, 0)] * (ATTEMPTS - 1) + [(0, 1)]
    assert sent.index((0, 1)) == ATTEMPTS - 1


def test_the_incident_says_who_where_why_and_whom_to_call() -> None:
    decision = decide([run(command(), ended=True)], {"r": [device("failed", "not_reached")]}, Known(), NOW)
    (escalation,) = decision.escalations
    for word in ("door-1", "not_reached", "Садовая, 11", "Школа № 2", "critical", "не ответили 1"):
        assert word in escalation.incident
    drill = decide([run(command(), ended=True, mode="drill")], {"r": [device()]}, Known(), NOW)
    assert '"minor"' in drill.escalations[0].incident


def test_nothing_is_sent_again_too_early_after_the_end_or_to_who_cannot() -> None:
    assert decide([run(command(age_s=1))], {"r": [device()]}, Known(), NOW).retries == []
    over = decide([run(command(expires_s=-1))], {"r": [device()]}, Known(), NOW)
    assert (over.retries, len(over.escalations)) == ([], 1)
    jammed = decide([run(command(age_s=1))], {"r": [device("failed", "not_reached")]}, Known(), NOW)
    assert (jammed.retries, len(jammed.escalations)) == ([], 1)  # trying again does not free a bolt
    clockless = decide([run(command())], {"r": [device("refused", "clock")]}, Known(), NOW)
    assert (len(clockless.retries), clockless.escalations) == (1, [])
    stranger = decide([run(command())], {"r": [device("refused", "unknown_key")]}, Known(), NOW)
    assert (stranger.retries, len(stranger.escalations)) == ([], 1)
    assert decide([run(command())], {"r": [device("done")]}, Known(), NOW).retries == []


def test_a_person_is_told_once_of_each_device_and_the_incident_closes_when_all_have_answered() -> None:
    first = decide([run(command(), ended=True)], {"r": [device()]}, Known(), NOW)
    again = decide([run(command(), ended=True)], {"r": [device()]}, first.known, NOW)
    assert again.escalations == []
    two = [device(), device(device_id="door-2")]
    more = decide([run(command(), ended=True)], {"r": two}, again.known, NOW)
    assert [each.device_ids for each in more.escalations] == [["door-2"]]
    opened = [unanswered.incident(run(command()), two, NOW)]
    one_well = [device("would_do"), device(device_id="door-2")]
    assert unanswered.answered_since(more.known, one_well, opened, NOW)[0] == []
    all_well = [device("would_do"), device("done", device_id="door-2")]
    closed, known = unanswered.answered_since(more.known, all_well, opened, NOW)
    assert ([each.status for each in closed], known.escalated) == (["closed"], {})


def test_a_device_whose_sensor_disagrees_is_an_incident_until_it_agrees() -> None:
    old = (NOW - timedelta(minutes=2)).isoformat()
    holds = [run(command())]
    locked = device("done", answered_at=old, sensed="locked")
    assert reconcile.differences([locked], holds, NOW) == [locked]
    (opened,) = reconcile.incidents([locked], [], NOW)
    assert ("locked" in (opened.detail or ""), opened.subject) == (True, "door-1")
    assert reconcile.incidents([locked], [opened], NOW) == []
    assert [each.status for each in reconcile.incidents([], [opened], NOW)] == ["closed"]
    fresh = device("done", answered_at=NOW.isoformat(), sensed="locked")
    assert reconcile.differences([fresh], holds, NOW) == []  # the bolt is still moving
    assert reconcile.differences([device("done", answered_at=old, sensed="unlocked")], holds, NOW) == []
    assert reconcile.differences([device("would_do", mode="drill", answered_at=old, sensed="locked")], holds, NOW) == []
    assert reconcile.differences([locked], [run(command(expires_s=-1))], NOW) == []  # its hold is over: its own policy
    walked_out = device("done", commanded="lock", answered_at=old, sensed="open")
    assert reconcile.differences([walked_out], [], NOW) == []
    still_open = device("done", commanded="lock", answered_at=old, sensed="unlocked")
    assert reconcile.differences([still_open], [], NOW) == [still_open]


def test_a_house_without_a_drill_in_time_is_named_but_not_in_a_city_that_has_just_begun() -> None:
    never = House("h", "Садовая, 11", 2, 0, 0, None)
    lately = House("k", "Мира, 1", 1, 1, 1, NOW - timedelta(days=35))
    long_ago = House("m", "Мира, 2", 1, 1, 1, NOW - timedelta(days=37))
    began = NOW - timedelta(days=100)
    assert drills.late([never, lately, long_ago], began, NOW) == [never, long_ago]
    assert drills.late([never], NOW - timedelta(days=1), NOW) == []
    assert drills.late([never], None, NOW) == []
