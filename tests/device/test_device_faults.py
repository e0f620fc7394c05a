"""Power cuts at every write, and a random life of messages lost, doubled and reordered: nothing is done twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from actuation.wire.answer import Answer
from device.controller import Controller
from device.store import State, Store

Make = Callable[..., Any]


class PowerCutError(BaseException):
    pass


class Failing(Store):
    """The power goes at the `at`-th write from now: before it is on the disk, or just after."""

    at = -1
    after = False

    def save(self, state: State) -> None:
        self.at -= 1
        if self.at == 0 and not self.after:
            raise PowerCutError
        super().save(state)
        if self.at == 0:
            raise PowerCutError


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_power_cut_at_every_write_of_an_unlock_and_its_end(rig: Make, at: int, after: bool) -> None:
    door = rig()
    store = Failing(door.folder / "door-state.json")
    door.controller = Controller(door.identity, door.body, store)
    door.controller.start(door.s)
    door.hear()
    store.at, store.after = at, after
    unlock = door.command(cid="a", exp=door.now + 60_000)
    answers: list[Any] = []
    cut = is_over = False
    try:
        answers += door.give(unlock)
        is_over = True
        answers += door.wait(61)  # the lease ends: one write more
    except PowerCutError:
        cut = True
        answers += door.boot()
        door.hear()
        if not is_over:
            answers += door.give(unlock)  # the broker's redelivery, or the retry
            answers += door.wait(61)
    door.wait(1)
    assert cut == (at <= 3)
    assert {each.cid for each in answers if isinstance(each, Answer) and each.result == "done"} == {"a"}
    assert door.body.state() == "locked", "the lease has ended"
    assert door.body.moves == 2, "it opened once and locked once"


@pytest.mark.parametrize("seed", range(20))
def test_random_life(rig: Make, seed: int) -> None:
    """Commands doubled, reordered, replayed, retried; beacons lost; power cut. Each id moves at most once, counters
    rise, everybody can leave at any time, and in the end the last accepted command's state is the door's state."""
    chance = random.Random(seed)
    door = rig()
    sent: list[bytes] = []
    accepted: set[bytes] = set()
    counters: list[int] = []
    results: dict[str, set[str]] = {}
    for step in range(150):
        roll = chance.random()
        told: list[Any] = []
        if roll < 0.35:
            over = {"action": chance.choice(["lock", "unlock"]), "mode": chance.choice(["live", "live", "drill"])}
            sent.append(door.command(cid=f"c{step}", exp=door.now + chance.choice([5_000, 60_000]), **over))
            if chance.random() < 0.8:
                told = door.give(sent[-1])
                accepted |= {sent[-1]} if any(each.result in ("done", "would_do") for each in told) else set()
        elif roll < 0.6 and sent:
            again, moves = chance.choice(sent[-20:]), door.body.moves
            told = door.give(again)
            assert again not in accepted or door.body.moves == moves, "a repeat moved something"
            accepted |= {again} if any(each.result in ("done", "would_do") for each in told) else set()
        elif roll < 0.7:
            door.hear()
        elif roll < 0.75:
            told = door.boot()
        elif roll < 0.8:
            assert door.body.leave()
            door.body.shut()
        else:
            told = door.wait(chance.choice([0.2, 3, 20]))
        before = [each for each in told if isinstance(each, Answer) and each.cid]
        for each in before:
            results.setdefault(each.cid or "", set()).add(each.result if each.result != "refused" else "")
        counters += [each.n for each in told if each.n not in counters]
    assert counters == sorted(counters), "an answer that was stored comes again, a new one has a higher number"
    for cid, found in results.items():
        assert len(found - {""}) <= 1, f"{cid} was answered in two ways: {found}"
    door.wait(120)
    assert door.body.state() == "locked", "every lease has ended"
