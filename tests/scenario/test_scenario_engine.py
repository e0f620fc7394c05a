"""The engine on Gorodok's scenarios: alerts that move and end, buttons, crossings, thresholds, schedules."""

from __future__ import annotations

import pytest

from actuation.scenario.effect import CommandDevices, NotifyPeople, OpenTask, PublishCap, RaiseIncident
from actuation.scenario.event import Event
from actuation.scenario.model import Scenario
from actuation.scenario.program import Program
from actuation.scenario.state import EngineState
from tests.scenario.conftest import Run, alert, at, commands, names, press, radar, reference, saved, tick


def test_a_missile_alert_opens_its_zones_and_the_all_clear_locks_them(run: Run) -> None:
    begun = run.give(alert(zones=("dma-1", "dma-2")))
    assert commands(begun, "unlock") == [("unlock", "dma-1"), ("unlock", "dma-2")]
    assert commands(begun, "siren_on") == [("siren_on", "dma-1"), ("siren_on", "dma-2")]
    assert {one.mode for one in begun} == {"live"}
    assert [one.alert["msgType"] for one in begun if isinstance(one, PublishCap)] == ["Alert"]
    over = run.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    assert sorted(commands(over, "siren_off")) == [("siren_off", "dma-1"), ("siren_off", "dma-2")]
    assert commands(over, "lock") == []
    assert [one.alert["msgType"] for one in over if isinstance(one, PublishCap)] == ["Cancel"]
    assert commands(run.wait(60 + 599), "lock") == []
    assert sorted(commands(run.wait(60 + 601), "lock")) == [("lock", "dma-1"), ("lock", "dma-2")]
    assert run.state.runs == {}


def test_the_same_alert_over_three_channels_acts_once(run: Run) -> None:
    assert run.give(alert())
    assert run.give(alert(), 1) == ()
    assert run.give(alert(), 2) == ()
    run.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    run.wait(3_000)
    assert run.give(alert(), 3_001) == ()


def test_an_offset_of_sent_does_not_make_another_alert(run: Run) -> None:
    run.give(alert())
    moved = dict(alert().body) | {"sent": "2026-11-25T15:00:00+03:00"}
    assert run.give(Event("alert", "other key", at(0), moved, ("dma-1",), "verified"), 1) == ()


def test_an_unverified_copy_that_comes_first_does_not_stop_the_real_one(run: Run) -> None:
    shadow = run.give(alert(trust="none"))
    assert {one.mode for one in shadow if not isinstance(one, NotifyPeople)} == {"shadow"}
    told = [one for one in shadow if isinstance(one, NotifyPeople) and one.mode == "live"]
    assert [(one.audience, one.template) for one in told] == [("duty", "unverified_alert")]
    assert ("unlock", "dma-1") in commands(run.give(alert(), 1))


@pytest.mark.parametrize("status", ["Exercise", "Test"])
def test_an_exercise_is_a_drill_and_its_cancel_ends_no_live_run(run: Run, status: str) -> None:
    assert {one.mode for one in run.give(alert("x", status=status))} == {"drill"}
    run.give(alert("a1", 1))
    false_cancel = alert("c", 5, kind="Cancel", refers=reference("a1", 1), status=status)
    assert run.give(false_cancel) == ()
    assert run.give(alert("c2", 6, kind="Cancel", refers=reference("a1", 1), trust="none")) == ()
    stranger = alert("c3", 7, kind="Cancel", refers=reference("a1", 1), sender="stranger")
    assert run.give(stranger) == ()
    assert any(one.mode == "live" and one.phase == "active" for one in run.state.runs.values())


@pytest.mark.parametrize("status", ["Draft", "System"])
def test_a_draft_and_a_system_message_do_nothing(run: Run, status: str) -> None:
    assert run.give(alert(status=status)) == ()


def test_two_alerts_over_one_zone_keep_the_doors_open_until_the_last_ends(run: Run) -> None:
    run.give(alert("a1", zones=("dma-1", "dma-2")))
    run.give(alert("a2", 5, zones=("dma-2",)))
    run.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    first = run.wait(2_000)
    assert commands(first, "lock") == [("lock", "dma-1")]
    assert ("siren_off", "dma-2") not in commands(first)
    run.give(alert("c2", 2_000, kind="Cancel", refers=reference("a2", 5)))
    assert ("lock", "dma-2") in commands(run.wait(2_700), "lock")


def test_a_door_that_waits_for_another_scenario_is_kept_unlocked(program: Program) -> None:
    """A guard that opens no doors of its own: the first alert's doors stay open until it has ended too."""
    guard = program.scenarios["uav_alert"].model_copy(
        update={"steps": tuple(one for one in program.scenarios["uav_alert"].steps if one.do != "command")}
    )
    town = program.town
    others = [one for one in program.scenarios.values() if one.scenario != "uav_alert"]
    run = Run(Program.of([*others, guard], town))
    run.give(alert("a1"))
    run.give(alert("u1", 10, event="Угроза атаки БПЛА", lasts_s=7_200))
    run.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    waited = run.wait(700)
    assert commands(waited, "lock") == []
    (again,) = [one for one in waited if isinstance(one, CommandDevices) and one.action == "unlock"
                and one.cause.scenario == "missile_alert"]  # fmt: skip
    assert again.expires_at == at(10 + 7_200 + 600)
    assert commands(run.wait(7_300), "lock") == [("lock", "dma-1")]


def test_an_update_moves_zones_and_the_end(run: Run) -> None:
    run.give(alert("a1", zones=("dma-1", "dma-2"), lasts_s=600))
    moved = run.give(alert("u1", 40, kind="Update", refers=reference("a1"), zones=("dma-2", "dma-3"), lasts_s=1_200))
    assert commands(moved, "siren_on") == [("siren_on", "dma-2"), ("siren_on", "dma-3")]
    assert commands(moved, "siren_off") == [("siren_off", "dma-1")]
    assert [one.alert["msgType"] for one in moved if isinstance(one, PublishCap)] == ["Update"]
    assert commands(run.wait(700), "lock") == [("lock", "dma-1")]
    assert ("siren_off", "dma-2") in commands(run.wait(1_241), "siren_off")


def test_an_update_that_names_no_area_holds_where_it_was(run: Run) -> None:
    run.give(alert("a1", lasts_s=600))
    again = run.give(alert("u1", 40, kind="Update", refers=reference("a1"), zones=(), lasts_s=1_200))
    assert ("unlock", "dma-1") in commands(again)
    assert commands(again, "siren_off", "lock") == []
    assert ("siren_off", "dma-1") in commands(run.wait(1_241))


def test_an_update_that_means_it_no_longer_ends_the_run(run: Run) -> None:
    run.give(alert("a1"))
    clear = alert("u1", 60, kind="Update", refers=reference("a1"), severity="Minor", urgency="Past",
                  responseType=["AllClear"], event="Отбой ракетной опасности")  # fmt: skip
    assert ("siren_off", "dma-1") in commands(run.give(clear))
    assert [one for one in run.state.runs.values() if one.scenario == "missile_alert" and one.phase == "active"] == []


def test_messages_that_come_in_the_wrong_order(run: Run) -> None:
    assert run.give(alert("c1", 60, kind="Cancel", refers=reference("a1")), 60) == ()
    assert run.give(alert("a1"), 61) == ()
    later = alert("u2", 80, kind="Update", refers=reference("b1", 70), zones=("dma-2",))
    assert commands(run.give(later), "unlock") == [("unlock", "dma-2")]
    assert run.give(alert("b1", 70), 81) == ()
    old = alert("u1", 75, kind="Update", refers=reference("b1", 70), zones=("dma-1",))
    assert run.give(old, 82) == ()


def test_an_alert_that_expired_before_it_came_does_nothing(run: Run) -> None:
    assert run.give(alert(lasts_s=60), 61) == ()


def test_an_old_alert_without_expires_does_nothing(run: Run) -> None:
    """An index that still lists last week's alert: nobody opens doors for it."""
    assert run.give(alert("a2", lasts_s=None), 10_799) != ()
    run.wait(10_800)
    assert run.give(alert(lasts_s=None), 10_800) == ()


def test_without_expires_the_longest_hold_ends_it(run: Run) -> None:
    run.give(alert(lasts_s=None))
    assert ("siren_off", "dma-1") in commands(run.wait(10_801))
    assert ("lock", "dma-1") in commands(run.wait(10_801 + 601))
    assert run.state.runs == {}


def test_a_restricted_alert_acts_but_is_neither_shown_nor_passed_on(run: Run) -> None:
    event = alert()
    body = dict(event.body) | {"scope": "Restricted"}
    done = run.give(Event("alert", event.key, event.at, body, event.zones, "verified"))
    assert ("unlock", "dma-1") in commands(done)
    assert commands(done, "show") == []
    assert "PublishCap" not in names(done)
    assert [one.audience for one in done if isinstance(one, NotifyPeople)] == ["duty"]


def test_what_is_restricted_is_not_told_in_an_incident_either(run: Run) -> None:
    event = alert(event="Шторм", category=["Met"], headline="тайна")
    open_, restricted = run.give(event), dict(event.body) | {"scope": "Private", "identifier": "b"}
    secret = run.give(Event("alert", "b", at(1), restricted | {"sent": at(1).isoformat()}, ("dma-1",), "verified"))
    (first,) = [one for one in open_ if isinstance(one, RaiseIncident)]
    (second,) = [one for one in secret if isinstance(one, RaiseIncident)]
    assert "тайна" in str(first.incident)
    assert "тайна" not in str(second.incident)


def test_the_lease_is_kept_alive_while_the_run_lasts(run: Run) -> None:
    run.give(alert(lasts_s=300))
    sirens = [one for one in run.wait(299) if isinstance(one, CommandDevices) and one.action == "siren_on"]
    assert [round((one.expires_at - at(0)).total_seconds()) for one in sirens] == [170, 220, 270, 300, 300]
    assert len({one.effect_id for one in sirens}) == len(sirens)


# Buttons


def test_a_second_person_confirms_and_not_the_same_one(run: Run) -> None:
    asked = run.give(press("start", "missile_alert", "Anna", 0))
    assert [one.template for one in asked if isinstance(one, NotifyPeople)] == ["confirm"]
    assert commands(asked) == []
    assert run.give(press("confirm", "missile_alert", "Anna", 5)) == ()
    nobody = Event("button", "n", at(6), {"scenario": "missile_alert", "press": "confirm"}, (), "verified", None)
    assert run.give(nobody) == ()
    assert run.give(press("confirm", "missile_alert", "Boris", 7, trust="none")) == ()
    assert ("unlock", "dma-1") in commands(run.give(press("confirm", "missile_alert", "Boris", 8)))


def test_without_a_confirmation_nothing_happens_and_the_duty_officer_is_told(run: Run) -> None:
    run.give(press("start", "missile_alert", "Anna", 0))
    late = run.wait(121)
    assert [one.template for one in late if isinstance(one, NotifyPeople)] == ["not_confirmed"]
    assert run.give(press("confirm", "missile_alert", "Boris", 122)) == ()


def test_a_drill_needs_no_second_person_and_moves_nothing(run: Run) -> None:
    done = run.give(press("drill", "missile_alert", "Anna", 0))
    assert ("unlock", "dma-1") in commands(done)
    assert {one.mode for one in done} == {"drill"}


def test_all_clear_by_button_ends_the_named_zones_only(run: Run) -> None:
    run.give(alert(zones=("dma-1", "dma-2")))
    over = run.give(press("all_clear", "missile_alert", "Anna", 60, zones=("dma-1",)))
    assert commands(over, "siren_off") == [("siren_off", "dma-1")]
    assert commands(run.give(press("stop", "missile_alert", "Anna", 70, zones=())), "siren_off") == [
        ("siren_off", "dma-2")
    ]
    assert run.give(alert(zones=("dma-1", "dma-2")), 80) == (), "the source says it again"
    run.wait(2_000)
    assert run.give(alert(zones=("dma-1", "dma-2")), 2_001) == ()


def test_the_scenario_all_clear_needs_two_and_ends_all_alerts_of_the_zone(run: Run) -> None:
    run.give(alert())
    run.give(alert("u1", 1, event="Угроза атаки БПЛА"))
    assert commands(run.give(press("all_clear", "all_clear", "Anna", 40))) == []
    over = run.give(press("confirm", "all_clear", "Boris", 45))
    assert ("siren_off", "dma-1") in commands(over)
    assert {one.scenario for one in run.state.runs.values() if one.phase == "active"} == {"all_clear"}


def test_an_all_clear_without_a_reference_ends_the_alerts_of_its_zones(run: Run) -> None:
    run.give(alert(zones=("dma-1", "dma-2")))
    over = run.give(alert("x", 60, zones=("dma-2",), event="Отбой", responseType=["AllClear"], severity="Minor"))
    assert commands(over, "siren_off") == [("siren_off", "dma-2")]


# The crossing


def test_lamps_go_on_before_the_kerb_and_off_when_nobody_is_there(run: Run) -> None:
    assert run.give(radar(0, distance_m=5)) == ()
    assert run.give(radar(1, direction="away")) == ()
    assert commands(run.give(radar(2, distance_m=1.9))) == [("light_on", "lamp-crossing-01")]
    for seconds in range(3, 9):
        assert run.give(radar(seconds, direction="crossing")) == ()
    assert run.wait(12.9) == ()
    assert commands(run.wait(13)) == [("light_off", "lamp-crossing-01")]
    assert commands(run.give(radar(14))) == [("light_on", "lamp-crossing-01")]


def test_lamps_are_dimmer_by_night(run: Run) -> None:
    (day,) = run.give(radar(0))
    run.wait(60)
    (night,) = run.give(radar(9 * 3_600))
    assert isinstance(day, CommandDevices)
    assert isinstance(night, CommandDevices)
    assert (day.level, night.level) == (100, 60)


def test_an_old_message_lights_nothing_and_a_redelivered_one_lights_it_once(run: Run) -> None:
    assert run.give(radar(0), 30) == ()
    assert commands(run.give(radar(31))) == [("light_on", "lamp-crossing-01")]
    run.wait(36)
    assert run.give(radar(31), 36.5) == ()


def test_a_lamp_that_failed_makes_one_task_a_day(run: Run) -> None:
    def fault(seconds: float) -> Event:
        body = {"device_id": "lamp-crossing-02", "result": "failed", "reason": "no current"}
        return Event("answer", f"answer-{seconds}", at(seconds), body, (), "verified")

    (task,) = [one for one in run.give(fault(0)) if isinstance(one, OpenTask)]
    assert task.complaint["service_code"] == "street_light"
    run.wait(100)
    assert run.give(fault(3_600)) == ()
    run.wait(90_000)
    assert "OpenTask" in names(run.give(fault(90_001)))


# State, incidents, schedules


def scenario(**parts: object) -> Scenario:
    base = {
        "scenario": "test", "title": {"ru": "т", "en": "t"}, "mode": "live", "timers": {"max_hold_s": 600},
        "steps": [{"do": "notify", "audience": "duty", "template": "test"}],
    }  # fmt: skip
    return Scenario.model_validate(base | parts)


def value(seconds: float, pressure_m: float, entity: str = "pressure-dma-1") -> Event:
    body = {"feed": "scada_reading", "entity": entity, "value": pressure_m}
    return Event("state", f"{entity}-{seconds}", at(seconds), body, (), "trusted")


def test_a_threshold_counts_only_after_its_time_without_a_break(program: Program) -> None:
    low = {"on": "state", "feed": "scada_reading", "for_s": 120, "when": [{"field": "value", "below": 10}]}
    run = Run(Program.of([scenario(triggers=[low])], program.town))
    run.give(value(0, 5))
    run.give(value(100, 12))
    run.give(value(110, 5))
    assert run.wait(229) == ()
    run.state = saved(run.state)
    (told,) = run.wait(230)
    assert isinstance(told, NotifyPeople)
    assert told.fields["zones"] == ["dma-1"]
    assert run.give(value(240, 4)) == ()
    run.wait(1_000)
    assert run.give(value(1_001, 4)) == (), "the same trouble, counted already"


def test_a_condition_over_another_value_of_the_city(program: Program) -> None:
    frost = {"field": "value", "below": -10, "state": {"feed": "scada_reading", "entity": "t-1"}}
    start = {"on": "camera_event", "class_names": ["person"], "confidence": 0.5}
    run = Run(Program.of([scenario(triggers=[start], conditions=[frost])], program.town))

    def seen(seconds: float) -> Event:
        body = {"class_name": "person", "confidence": 0.9, "site_id": "yard-01", "camera_id": "c"}
        return Event("camera_event", f"c{seconds}", at(seconds), body, (), "trusted")

    assert run.give(seen(0)) == (), "unknown is not true"
    run.give(value(1, -5, "t-1"))
    assert run.give(seen(2)) == ()
    run.give(value(3, -15, "t-1"))
    assert len(run.give(seen(4))) == 1


def test_a_silent_feed_is_told_again_after_half_an_hour_and_when_it_is_back(run: Run) -> None:
    silent = Event("feed_silent", "s1", at(0), {"feed": "scada_reading", "silent_s": 900}, (), "verified")
    assert len(run.give(silent)) == 1
    assert len(run.wait(1_801)) == 1
    body = {"incident_id": "i", "kind": "feed_silent", "status": "closed", "subject": "scada_reading"}
    back = run.give(Event("incident", "i|closed", at(2_000), body, (), "verified"))
    assert [one.template for one in back if isinstance(one, NotifyPeople)] == ["feed_back"]


def test_a_water_incident_makes_a_task_in_its_zone(run: Run) -> None:
    body = {"incident_id": "w", "kind": "water_leak", "status": "open", "severity": "critical", "subject": "dma-2",
            "title": "Порыв"}  # fmt: skip
    done = run.give(Event("incident", "w|open", at(0), body, (), "trusted"))
    assert [one.complaint["service_code"] for one in done if isinstance(one, OpenTask)] == ["water_leak"]
    assert commands(done, "show") == [("show", "dma-2")]


def test_the_monthly_drill_comes_on_the_first_wednesday(run: Run) -> None:
    done = run.wait(8 * 86_400)  # 25 November is a Wednesday; 2 December is the first of its month
    assert {one.mode for one in done} == {"drill"}
    starts = [one for one in done if isinstance(one, CommandDevices) and one.action == "unlock"]
    assert {one.cause.event_key for one in starts} == {"monthly_drill@2026-12-02T08:00:00+00:00"}


def test_a_run_is_ended_even_when_its_scenario_is_gone(program: Program, run: Run) -> None:
    run.give(alert())
    kept = [one for one in program.scenarios.values() if one.scenario != "missile_alert"]
    state = saved(run.state)
    run = Run(Program.of(kept, program.town))
    run.state = state
    done = run.wait(10_000)
    assert ("siren_off", "dma-1") in commands(done)
    assert ("lock", "dma-1") in commands(done)


def test_the_state_is_bounded(run: Run) -> None:
    for number in range(300):
        run.give(radar(number * 20, site=f"0{1 + number % 6}"))
        if number % 50 == 0:
            run.give(alert(f"a{number}", number * 20, lasts_s=300))
    run.wait(9 * 86_400)
    run.give(radar(9 * 86_400 + 1))
    assert len(run.state.past) <= 8
    assert len(run.state.runs) == 1
    assert run.state.replaced == {}


def test_a_program_without_scenarios_does_nothing(program: Program) -> None:
    empty = Program.of([], program.town)
    state, effects = empty.step(EngineState(), alert(), at(0))
    assert effects == ()
    assert empty.next_due(state) is None


def test_a_failed_check_and_a_camera_that_a_person_confirms(program: Program) -> None:
    failed = {"on": "check_failed", "assets": ["raw/alert"]}
    seen = {"on": "camera_event", "class_names": ["drone"], "confidence": 0.8, "confirm_within_s": 60}
    unlock = {"do": "command", "action": "unlock", "kinds": ["door"], "then": {"action": "lock", "after_s": 0}}
    steps = [unlock, {"do": "notify", "audience": "duty", "template": "test"}]
    run = Run(Program.of([scenario(triggers=[seen], steps=steps), scenario(triggers=[failed]).model_copy(
        update={"scenario": "other"})], program.town))  # fmt: skip
    check = Event("check_failed", "r1", at(0), {"asset": "raw/alert", "check": "fresh"}, (), "verified")
    assert [one.cause.scenario for one in run.give(check)] == ["other"]
    body = {"class_name": "drone", "confidence": 0.9, "site_id": "yard-01", "camera_id": "c", "event_id": "e"}
    asked = run.give(Event("camera_event", "c|e", at(1), body, (), "trusted"))
    assert [one.template for one in asked if isinstance(one, NotifyPeople)] == ["confirm"]
    assert commands(run.give(press("confirm", "test", "Anna", 5, zones=()))) == [("unlock", "dma-2")]


def test_most_messages_of_a_radar_change_nothing(run: Run) -> None:
    run.give(radar(0))
    states = set()
    for number in range(50):
        run.give(radar(0.2 * number, direction="crossing"))
        states.add(run.state.to_json().split('"now"')[1].split(",", 1)[1])
    assert len(states) <= 21, "every third moves the end by half a second or more"
    assert commands(run.wait(20), "light_off") == [("light_off", "lamp-crossing-01")]


def test_a_clock_that_is_put_back_leaves_no_lamp_burning(run: Run) -> None:
    """It was a day ahead when the lamp went on; then NTP sets it right."""
    run.give(radar(86_400))
    assert run.give(tick(2), 2) == ()
    assert commands(run.wait(8)) == [("light_off", "lamp-crossing-01")]
    assert commands(run.give(radar(9))) == [("light_on", "lamp-crossing-01")]
    assert commands(run.wait(15)) == [("light_off", "lamp-crossing-01")]


def test_a_drill_keeps_no_real_siren_sounding(run: Run) -> None:
    run.give(alert())
    run.give(press("drill", "missile_alert", "Anna", 10))
    over = run.give(alert("c1", 20, kind="Cancel", refers=reference("a1")))
    assert ("siren_off", "dma-1") in [(one.action, one.target.zone_id) for one in over
                                      if isinstance(one, CommandDevices) and one.mode == "live"]  # fmt: skip


def test_an_end_by_time_is_no_all_clear_for_residents(run: Run) -> None:
    run.give(alert(lasts_s=300))
    told = [(one.audience, one.template) for one in run.wait(301) if isinstance(one, NotifyPeople)]
    assert told == [("duty", "alert_expired")]


def test_an_update_gives_the_longest_hold_anew(run: Run) -> None:
    run.give(alert("a1", lasts_s=None))
    run.wait(10_000)
    run.give(alert("u1", 10_001, kind="Update", refers=reference("a1"), lasts_s=None))
    assert commands(run.wait(20_800), "siren_off") == []
    assert commands(run.wait(20_802), "siren_off") == [("siren_off", "dma-1")]
