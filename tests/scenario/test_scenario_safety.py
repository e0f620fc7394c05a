"""What would lock a door in an alert, or leave one shut: found by reading the engine with an attacker's eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from actuation.scenario.effect import CommandDevices, Effect, PublishCap
from actuation.scenario.event import Event
from tests.scenario.conftest import Run, alert, at, commands, press, reference


def part(whole: Event, number: int, of: int, zones: tuple[str, ...]) -> Event:
    """As actuation.cap.judge gives an alert whose <info> blocks name different zones."""
    key = whole.key if number == 1 else f"{whole.key}#{number}"
    return replace(whole, key=key, zones=zones, body={**whole.body, "part": [number, of]})


def test_each_part_of_an_alert_opens_its_own_zones(run: Run) -> None:
    whole = alert()
    first = run.give(part(whole, 1, 2, ("dma-1",)))
    second = run.give(part(whole, 2, 2, ("dma-2",)))
    assert commands(first, "unlock") == [("unlock", "dma-1")]
    assert commands(second, "unlock", "siren_on") == [("unlock", "dma-2"), ("siren_on", "dma-2")]
    assert run.give(part(whole, 2, 2, ("dma-2",)), 1) == ()
    over = run.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    assert sorted(commands(over, "siren_off")) == [("siren_off", "dma-1"), ("siren_off", "dma-2")]


def test_a_part_that_nobody_vouches_for_widens_no_live_run(run: Run) -> None:
    whole = alert()
    run.give(part(whole, 1, 2, ("dma-1",)))
    assert commands(run.give(replace(part(whole, 2, 2, ("dma-2",)), trust="none")), "unlock") == []


def test_each_part_of_an_update_keeps_its_own_zones(run: Run) -> None:
    whole = alert()
    run.give(part(whole, 1, 2, ("dma-1",)))
    run.give(part(whole, 2, 2, ("dma-2",)))
    wind = alert("u1", 60, kind="Update", refers=reference("a1"), event="Ветер", severity="Minor")
    missile = alert("u1", 60, kind="Update", refers=reference("a1"))
    run.give(part(wind, 1, 3, ("dma-4",)))
    run.give(part(missile, 2, 3, ("dma-1",)))
    run.give(part(missile, 3, 3, ("dma-2",)))
    (active,) = [one for one in run.state.runs.values() if one.phase == "active"]
    assert active.zones == ("dma-1", "dma-2")
    assert commands(run.wait(60 + 700), "lock") == []


def test_an_update_none_of_whose_parts_means_it_ends_the_run(run: Run) -> None:
    run.give(alert())
    wind = alert("u1", 60, kind="Update", refers=reference("a1"), event="Ветер", severity="Minor")
    run.give(part(wind, 1, 2, ("dma-1",)))
    assert commands(run.give(part(wind, 2, 2, ("dma-2",))), "siren_off") == [("siren_off", "dma-1")]


def test_a_zone_that_an_update_leaves_out_and_the_next_names_again_is_not_locked(run: Run) -> None:
    run.give(alert(zones=("dma-1", "dma-2")))
    run.give(alert("u1", 60, kind="Update", refers=reference("a1"), zones=("dma-1",)))
    run.give(alert("u2", 120, kind="Update", refers=reference("u1", 60), zones=("dma-1", "dma-2")))
    assert commands(run.wait(60 + 700), "lock") == []
    run.give(alert("c1", 800, kind="Cancel", refers=reference("u2", 120)))
    assert sorted(commands(run.wait(800 + 700), "lock")) == [("lock", "dma-1"), ("lock", "dma-2")]


def test_commands_to_a_zone_that_comes_back_have_ids_of_their_own(run: Run) -> None:
    """The ledger takes an id once: a repetition under an old one would not leave, and the siren would fall silent."""
    effects = [*run.give(alert(zones=("dma-1", "dma-2")))]
    effects += run.wait(110)
    for number in range(1, 5):
        zones = ("dma-1",) if number % 2 else ("dma-1", "dma-2")
        before = reference(f"u{number - 1}", 110 * (number - 1)) if number > 1 else reference("a1")
        effects += run.give(alert(f"u{number}", 110 * number, kind="Update", refers=before, zones=zones))
        effects += run.wait(110 * number + 109)
    ids = [one.effect_id for one in effects]
    assert len(ids) == len(set(ids))


def clear(identifier: str, seconds: float, event: str, **more: object) -> Event:
    return alert(identifier, seconds, event=event, responseType=["AllClear"], severity="Minor", **more)  # type: ignore[arg-type]


def live(run: Run) -> list[str]:
    return sorted(one.scenario for one in run.state.runs.values() if one.phase == "active" and one.mode == "live")


def test_the_all_clear_of_one_hazard_does_not_end_another(run: Run) -> None:
    run.give(alert("m1"))
    run.give(alert("u1", 10, event="Угроза атаки БПЛА"))
    over = run.give(clear("u2", 60, "Отбой угрозы атаки БПЛА"))
    assert "missile_alert" in live(run)
    assert "uav_alert" not in live(run)
    assert commands(over, "siren_off", "lock") == []
    assert not [one for one in over if "ОТБОЙ тревоги" in (getattr(one, "text", None) or "")]
    run.give(clear("m2", 90, "Отбой ракетной опасности"))
    assert "missile_alert" not in live(run)


def test_an_all_clear_that_refers_to_one_alert_does_not_end_another(run: Run) -> None:
    run.give(alert("a1", sender="region"))
    run.give(alert("a2", 5))
    refers = reference("a2", 5)
    run.give(clear("a3", 60, "Отбой ракетной опасности", kind="Update", refers=refers))
    (left,) = [one for one in run.state.runs.values() if one.phase == "active" and one.scenario == "missile_alert"]
    assert left.event_key == reference("a1", sender="region")


def test_one_senders_all_clear_does_not_end_anothers_alert(run: Run) -> None:
    run.give(alert("a1", sender="region"))
    run.give(clear("x", 60, "Отбой"))
    assert "missile_alert" in live(run)


def test_an_all_clear_ends_what_a_button_began(run: Run) -> None:
    run.give(press("start", "missile_alert", "one", 0))
    run.give(press("confirm", "missile_alert", "two", 5))
    assert live(run) == ["missile_alert"]
    run.give(clear("x", 60, "Отбой ракетной опасности"))
    assert "missile_alert" not in live(run)


def test_air_raid_in_russian_and_in_every_case_is_a_missile_alert(run: Run) -> None:
    for number, event in enumerate(("Угроза ракетного удара", "Воздушная тревога", "Авиационная опасность")):
        found = run.give(alert(f"w{number}", number, event=event))
        assert ("unlock", "dma-1") in commands(found), event


def test_one_person_under_another_spelling_is_no_second_person(run: Run) -> None:
    run.give(press("start", "missile_alert", "Иванов И.", 0))
    assert run.give(press("confirm", "missile_alert", " иванов  и.", 5)) == ()
    assert run.give(press("confirm", "missile_alert", "Петров П.", 6))


def test_one_person_who_changed_the_name_in_the_profile_is_no_second_person(run: Run) -> None:
    """The page signs a press as name <mail>; the name is whatever somebody writes into a profile."""
    run.give(press("start", "missile_alert", "Иванов И. <ivanov@city.example>", 0))
    assert run.give(press("confirm", "missile_alert", "Петров П. <Ivanov@city.example>", 5)) == ()
    assert run.give(press("confirm", "missile_alert", "Иванов И. <petrov@city.example>", 6))


def test_an_ending_step_whose_condition_does_not_hold_ends_nothing(run: Run) -> None:
    scenario = run.program.scenarios["all_clear"]
    step = scenario.steps[0].model_validate({**scenario.steps[0].model_dump(by_alias=True, exclude_none=True),
                                             "when": [{"field": "sender", "equals": "somebody"}]})  # fmt: skip
    changed = scenario.model_copy(update={"steps": (step, *scenario.steps[1:])})
    others = [one for one in run.program.scenarios.values() if one.scenario != "all_clear"]
    mine = Run(type(run.program).of([*others, changed], run.program.town))
    mine.give(alert())
    mine.give(clear("x", 60, "Отбой"))
    assert "missile_alert" in live(mine)


def test_a_flood_that_nobody_vouches_for_neither_fills_the_memory_nor_stops_the_real_alert(run: Run) -> None:
    """A thousand a minute, each ended by its own expiry or held for hours, with references made up."""
    for number in range(600):
        made_up = " ".join(reference(f"r{number}-{each}", -1) for each in range(20))
        short = alert(f"s{number}", number * 0.06, trust="none", lasts_s=0.5, kind="Update", refers=made_up)
        run.give(short)
        run.give(alert(f"l{number}", number * 0.06, trust="none", lasts_s=None))
    state = run.state
    assert len(state.runs) + len(state.past) < 300
    assert state.replaced == {}
    assert ("unlock", "dma-1") in commands(run.give(alert("real", 40)))


def test_an_end_by_time_tells_nobody_onward_that_the_alert_is_cancelled(run: Run) -> None:
    """A Cancel is an all-clear to whoever receives it; our timer, or the sender's, is none."""
    run.give(alert(lasts_s=None))
    waited = run.wait(10_900)
    assert [one for one in run.state.runs.values() if one.phase == "active"] == []
    assert [one.alert["msgType"] for one in waited if isinstance(one, PublishCap)] == []
    run.give(alert("a2", 11_000, lasts_s=600))
    assert [one.alert["msgType"] for one in run.wait(12_000) if isinstance(one, PublishCap)] == []
    run.give(alert("a3", 13_000))
    over = run.give(alert("c3", 13_060, kind="Cancel", refers=reference("a3", 13_000)))
    assert [one.alert["msgType"] for one in over if isinstance(one, PublishCap)] == ["Cancel"]


def guarded(run: Run) -> Run:
    """The drone alert guards doors and opens none of its own."""
    uav = run.program.scenarios["uav_alert"]
    guard = uav.model_copy(update={"steps": tuple(one for one in uav.steps if one.do != "command")})
    others = [one for one in run.program.scenarios.values() if one.scenario != "uav_alert"]
    return Run(type(run.program).of([*others, guard], run.program.town))


def unlocked_until(effects: Sequence[Effect]) -> list[datetime]:
    return [one.expires_at for one in effects if isinstance(one, CommandDevices) and one.action == "unlock"]


def test_a_guarded_door_stays_unlocked_when_the_guard_lasts_longer_than_it_said(run: Run) -> None:
    mine = guarded(run)
    mine.give(alert("a1"))
    mine.give(alert("u1", 10, event="Угроза атаки БПЛА", lasts_s=1_800))
    mine.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    assert unlocked_until(mine.wait(700)) == [at(10 + 1_800 + 600)]
    longer = alert("u2", 900, kind="Update", refers=reference("u1", 10), event="Угроза атаки БПЛА", lasts_s=5_000)
    assert unlocked_until(mine.give(longer)) == [at(900 + 5_000 + 600)]
    assert mine.give(longer, 901) == ()


def test_a_guarded_door_stays_unlocked_for_the_next_guard(run: Run) -> None:
    mine = guarded(run)
    mine.give(alert("a1"))
    for number, lasts_s in enumerate((1_800, 7_200)):
        mine.give(alert(f"u{number}", 10 + number, event="Угроза атаки БПЛА", lasts_s=lasts_s))
    mine.give(alert("c1", 60, kind="Cancel", refers=reference("a1")))
    until = unlocked_until(mine.wait(2_500))
    assert max(until) == at(11 + 7_200 + 600)
    assert commands(mine.wait(7_300), "lock") == [("lock", "dma-1")]
