"""What a device does over its days: opens, loses the broker, restarts, is told to lock, jams."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actuation.keys import KeyRing, change
from actuation.wire.answer import Answer, Sensed
from device.controller import SETTLE_S
from device.door import Door
from device.store import Store

Make = Callable[..., Any]


def test_door_opens_says_so_and_locks_again(rig: Make) -> None:
    door = rig()
    (answer,) = door.give(door.command(cid="a"))
    assert (answer.result, answer.state, answer.cid, answer.at) == ("done", "unlocked", "a", door.now)
    assert door.body.enter()
    door.body.shut()
    (answer,) = door.give(door.command(action="lock"))
    assert (answer.result, answer.state) == ("done", "locked")
    assert not door.body.enter()


def test_no_command_keeps_anybody_from_leaving(rig: Make) -> None:
    """After every action and mode, locked, jammed, in a drill and after the lease: the bar opens the door."""
    for jammed in (False, True):
        door = rig(body=Door(jammed=jammed))
        for over in ({}, {"action": "lock"}, {"action": "lock", "mode": "drill"}, {"exp": door.now + 100_000}):
            door.give(door.command(**over))
            door.wait(30)
            assert door.body.leave()
            door.body.shut()


def test_retry_with_a_new_number_gets_the_same_answer_and_moves_nothing(rig: Make) -> None:
    door = rig()
    first = door.give(door.command(cid="a"))
    assert door.give(door.command(cid="a")) == first
    assert door.body.moves == 1


def test_jammed_door_says_failed_and_what_it_senses(rig: Make) -> None:
    door = rig(body=Door(jammed=True))
    assert door.give(door.command()) == []
    assert door.wait(SETTLE_S / 2) == []
    (answer,) = door.wait(SETTLE_S)
    assert isinstance(answer, Answer)
    assert (answer.result, answer.reason, answer.state) == ("failed", "not_reached", "locked")


def test_slow_bolt_is_answered_when_the_sensor_sees_it(rig: Make) -> None:
    door = rig(body=Door(jammed=True))
    unlock = door.command()
    assert door.give(unlock) == []
    assert door.give(unlock) == [], "a redelivery meanwhile changes nothing"
    door.body.jammed = False
    door.body.do("unlock")
    told = door.wait(0.5)
    assert [type(each) for each in told] == [Answer, Sensed]
    assert told[0].result == "done"


def test_newer_command_takes_over_and_the_older_one_is_answered(rig: Make) -> None:
    door = rig(body=Door(jammed=True))
    door.give(door.command(cid="a"))
    answers = door.give(door.command(cid="b", action="lock"))
    assert [(each.cid, each.result) for each in answers] == [("a", "failed"), ("b", "done")]


@pytest.mark.parametrize(("policy", "state"), [("relock", "locked"), ("stay_open", "unlocked")])
def test_door_that_lost_the_broker_stays_open_until_the_end_then_does_its_policy(
    rig: Make, policy: str, state: str
) -> None:
    door = rig(lease_end=policy)
    door.give(door.command(exp=door.now + 900_000))
    for _ in range(89):  # not a message, not a beacon
        door.wait(10)
        assert door.body.state() == "unlocked"
    door.wait(11)
    assert door.body.state() == state


def test_longer_command_keeps_the_door_open_longer(rig: Make) -> None:
    door = rig()
    door.give(door.command(exp=door.now + 10_000))
    door.give(door.command(exp=door.now + 100_000))
    door.wait(50)
    assert door.body.state() == "unlocked"
    door.wait(60)
    assert door.body.state() == "locked"


def test_lamp_siren_and_display_always_end(rig: Make) -> None:
    for kind, over in (("lamp", {"level": 40}), ("siren", {}), ("display", {"text": "Укрытие открыто"})):
        device = rig(kind)
        assert device.ask(device.command(exp=device.now + 60_000, **over)) == "done"
        assert device.body.state() in ("on", "shown")
        told = device.wait(61)
        assert device.body.state() in ("off", "blank"), kind
        assert told[-1].state == device.body.state(), "and it says so"


def test_crossing_lamp_takes_brightness_and_tells_what_it_saw(rig: Make) -> None:
    lamp = rig("lamp")
    lamp.give(lamp.command(level=30))
    assert lamp.body.level == 30
    lamp.body.see(distance_m=1.4, speed_m_s=1.2, direction="in")
    told = lamp.wait(0.1)
    assert [each.reading for each in told if each.reading] == [{"distance_m": 1.4, "speed_m_s": 1.2, "direction": "in"}]


def test_restart_during_an_alert_keeps_the_door_open_and_the_answers(rig: Make) -> None:
    door = rig()
    unlock = door.command(exp=door.now + 600_000)
    first = door.give(unlock)
    door.body = Door()  # the power went, and the bolt fell
    door.s = 5.0
    told = door.boot()
    assert door.body.state() == "unlocked"
    assert told[-1].state == "unlocked"
    assert told[-1].at is None, "it has no time yet"
    assert told[-1].n > first[0].n
    assert door.give(unlock) == first
    assert door.ask(door.command()) == "clock"


def test_restart_without_a_network_still_ends_the_lease(rig: Make) -> None:
    """It cannot know the time; it knows that so much has passed since it last knew."""
    door = rig()
    door.give(door.command(exp=door.now + 600_000))
    door.s = 3.0
    door.boot()
    door.wait(590)
    assert door.body.state() == "unlocked"
    door.wait(11)
    assert door.body.state() == "locked"


def test_restart_in_mid_move_finishes_it_once_and_answers(rig: Make) -> None:
    door = rig(body=Door(jammed=True))
    door.give(door.command(cid="a"))
    door.body = Door()
    told = door.boot()
    assert [(each.cid, each.result) for each in told if isinstance(each, Answer)] == [("a", "done")]
    assert door.body.moves == 1


def test_counter_rises_over_restarts(rig: Make) -> None:
    door = rig()
    seen = []
    for _ in range(5):
        seen += [each.n for each in door.give(door.command())]
        seen += [each.n for each in door.boot()]
        door.hear()
    assert seen == sorted(set(seen))


def test_without_a_beacon_for_an_hour_it_has_no_time(rig: Make) -> None:
    door = rig()
    door.wait(3_590)
    assert door.ask(door.command()) == "done"
    door.wait(20)
    assert door.ask(door.command()) == "clock"


def test_beacon_held_back_cannot_turn_the_time_back(rig: Make) -> None:
    door = rig()
    held = door.beacon()
    door.wait(300)
    door.hear(held)
    assert door.ask(door.command(nbf=door.now - 300_000, exp=door.now - 1_000)) == "expired"


def test_city_whose_clock_was_put_right_takes_its_devices_with_it(rig: Make) -> None:
    door = rig()
    door.hear(door.beacon(now=door.now + 3_600_000))
    assert door.ask(door.command()) == "expired"
    door.hear()
    assert door.ask(door.command()) == "done"


def test_rotation_has_no_gap(rig: Make, keys_dir: Path, ring: KeyRing) -> None:
    """The new public key is there before it signs; old and new are good together; the old one goes when revoked."""
    door = rig()
    old = ring.kid
    change.rotate(keys_dir, after=timedelta(hours=1))
    assert ring.refresh()
    assert ring.kid == old
    door.controller.take("gorodok/v1/gorodok/ctl/keys/all", ring.keyset, door.s)
    assert door.ask(door.command()) == "done"
    change.rotate(keys_dir, after=timedelta(0))
    ring.refresh()
    assert ring.kid != old
    assert door.ask(door.command()) == "unknown_key", "this one was not announced to it"
    door.controller.take("gorodok/v1/gorodok/ctl/keys/all", ring.keyset, door.s)
    assert door.ask(door.command()) == "done"
    door.boot()
    door.hear()
    assert door.ask(door.command()) == "done", "and the new keys outlive a restart"


def test_old_keyset_sent_again_brings_no_revoked_key_back(rig: Make, keys_dir: Path, ring: KeyRing) -> None:
    door = rig()
    before, old = ring.keyset, ring.kid
    change.rotate(keys_dir, after=timedelta(0))
    change.revoke(keys_dir, old)
    ring.refresh()
    for keyset in (ring.keyset, before):
        door.controller.take("gorodok/v1/gorodok/ctl/keys/all", keyset, door.s)
    assert list(door.controller.state.signers) == [ring.kid]


def test_damaged_state_is_put_aside_and_the_device_runs(rig: Make) -> None:
    door = rig()
    path = door.folder / "door-state.json"
    door.give(door.command())
    path.write_bytes(path.read_bytes()[:40])
    door.boot()
    assert (door.folder / "door-state.damaged").exists()
    door.hear()
    assert door.ask(door.command()) == "done"


def test_state_of_another_device_is_not_taken(rig: Make) -> None:
    door = rig()
    door.give(door.command())
    assert Store(door.folder / "door-state.json").load("gorodok/door-2/x").answered == []


def test_full_disk_keeps_no_shelter_shut(rig: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    door = rig()

    def full(self: Store, state: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "save", full)
    assert door.ask(door.command()) == "done"
    assert door.controller.save_failures > 0


def test_state_file_is_small(rig: Make) -> None:
    door = rig()
    for _ in range(200):
        door.give(door.command(mode="drill", cid="c" * 28 + f"{door.seq:04d}"))
    path = door.folder / "door-state.json"
    assert path.stat().st_size < 40_000
    assert len(json.loads(path.read_bytes())["answered"]) == 64


@pytest.mark.parametrize("broken", ["replace", "read_bytes"])
def test_a_state_that_cannot_be_read_keeps_no_door_shut(
    rig: Make, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Flash memory that died: the controller starts all the same, and the door obeys."""
    door = rig()
    door.give(door.command())
    (door.folder / "door-state.json").write_text("{half")

    def fails(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, broken, fails)
    door.boot()
    door.hear()
    assert door.ask(door.command()) == "done"
