"""The crossing's scenario against a street with ground truth; floors below what the week's benchmark measured."""

from __future__ import annotations

import itertools

import pytest

from actuation.scenario.effect import OpenTask
from actuation.scenario.event import Event
from bench.lib.crossing import KINDS, Measured, measure
from simulator.crossing.people import CROSSES, SHARES, WIDTH_M, people
from simulator.crossing.radar import Radar, messages
from tests.scenario.conftest import Run, at


@pytest.fixture(scope="module")
def evening() -> Measured:
    """Three busy hours, about 270 people; seeded."""
    return measure(3, seed=7, from_hour=16, per_hour=55)


def test_light_comes_before_the_first_step(evening: Measured) -> None:
    lit, stepped = evening.lit_before()
    assert stepped > 150
    assert lit / stepped >= 0.985
    for kind in KINDS:
        lit, stepped = evening.lit_before(kind)
        assert stepped > 0, kind
        assert lit / stepped >= 0.9, kind


def test_false_lightings_are_few_and_the_light_goes_out(evening: Measured) -> None:
    assert len(evening.false_intervals) / evening.hours <= 10
    after = sorted(evening.after_empty_s)
    assert after[int(0.95 * len(after))] <= 8
    assert max(after) <= 30


def test_a_blind_radar_lights_nothing_so_the_test_can_fail() -> None:
    blind = measure(1, seed=7, from_hour=16, radar=Radar(miss=1.0, ghosts_hour=0))
    assert blind.lit == []
    assert blind.lit_before()[0] == 0


def test_dropouts_cost_what_they_must() -> None:
    """A radar that is blind a fifth of the time: many are still seen, on the carriageway at the latest."""
    bad = measure(1, seed=7, from_hour=16, radar=Radar(dropouts_hour=240, dropout_s=3.0))
    lit, stepped = bad.lit_before()
    assert 0.5 < lit / stepped < 0.99


def test_the_truth_has_everybody_and_walks_as_it_says() -> None:
    found = list(people(1, 24))
    assert {one.kind for one in found} == {kind for kind, _ in SHARES}
    for one in found:
        assert one.from_s < one.until_s
        if one.kind in CROSSES:
            assert one.steps_off_s is not None
            assert one.clear_s is not None
            assert min(abs(one.where(one.steps_off_s)[0]), abs(one.where(one.steps_off_s)[0] - WIDTH_M)) < 0.01
            assert 0 < one.where((one.steps_off_s + one.clear_s) / 2)[0] < WIDTH_M
        elif one.kind != "dog":
            assert one.steps_off_s is None
    groups = [one for one in found if one.kind == "group"]
    assert any(later.from_s - first.until_s + 30 > 0 for first, later in itertools.pairwise(groups))


def test_the_radar_repeats_with_its_seed() -> None:
    found = list(people(2, 1, from_hour=12))
    assert list(messages(found, 2)) == list(messages(found, 2))
    assert list(messages(found, 2)) != list(messages(found, 3))


def test_a_lamp_that_fails_at_the_crossing_becomes_a_task(program) -> None:  # type: ignore[no-untyped-def]
    run = Run(program)
    body = {"device": "lamp-crossing-01", "state": "fault"}
    effects = run.give(Event("sensed", "s1", at(0), body, (), "verified"))
    assert [one.complaint["service_code"] for one in effects if isinstance(one, OpenTask)] == ["street_light"]
