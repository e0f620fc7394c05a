"""The index IQ городов: the data file is whole and agrees with the facts, the arithmetic is what was found."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from city.settings import ROOT
from domains.iq import seed
from domains.iq.methodology import PATH, MethodologyError, load, methodology
from domains.iq.score import min_max_points, total

FACTS = ROOT.parent / "shared" / "data" / "iq" / "methodology_2018_2021.yaml"


def test_forty_seven_indicators_in_ten_directions() -> None:
    found = methodology()
    assert [one.code for one in found.indicators] == [f"c{number}" for number in range(1, 48)]
    assert [one.code for one in found.directions] == [f"D{number:02}" for number in range(1, 11)]
    sizes = [sum(one.direction == direction.code for one in found.indicators) for direction in found.directions]
    assert sizes == [5, 6, 5, 1, 5, 11, 4, 4, 4, 2]
    assert found.scale.total_max == len(found.directions) * found.scale.direction_max


@pytest.mark.skipif(not FACTS.exists(), reason="shared/data/iq is not there: nothing to compare with")
def test_file_agrees_with_the_facts() -> None:
    facts = {one["code"]: one for one in yaml.safe_load(FACTS.read_text(encoding="utf-8"))["indicators"]}
    for one in methodology().indicators:
        fact = facts[one.code]
        assert one.direction == fact["direction"]
        assert one.kind == fact["kind"].split(" ")[0]
        assert one.name == fact["name"] or (fact["name"] is None and one.name_basis == "inferred")
        assert (one.unit_basis == "inferred") == (fact["unit_basis"] != "form field")
        assert (one.direction_basis == "inferred") == (not fact["direction_basis"].startswith("read"))
        assert [(p.key, p.name) for p in one.parameters] == [(p["key"], p["name"]) for p in fact["parameters"] or []]


def test_seeds_are_fresh() -> None:
    for name, text in seed.seed_files(methodology()).items():
        assert (seed.SEEDS / name).read_text(encoding="utf-8") == text, "run: python -m domains.iq.seed"


def test_only_yes_no_parameters_have_evidence() -> None:
    told = [one for one in methodology().indicators if any(p.evidence for p in one.parameters)]
    assert {one.kind for one in told} == {"presence"}
    assert [one.code for one in told] == ["c1", "c13", "c16", "c18", "c28"]


def test_unknown_keys_are_refused(tmp_path) -> None:
    data = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    data["indicators"][0]["weight"] = 1
    path = tmp_path / "methodology.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    with pytest.raises(MethodologyError, match="weight"):
        load(path)


def test_points_known_by_hand() -> None:
    assert min_max_points(5, [0, 5, 10]) == 6
    assert min_max_points(0, [0, 5, 10]) == 0
    assert min_max_points(10, [0, 5, 10]) == 12
    assert min_max_points(3, [3, 3]) is None
    with pytest.raises(ValueError, match="peers"):
        min_max_points(11, [0, 5, 10])
    assert total([1.111] * 10) == 11.11
    with pytest.raises(ValueError, match="10"):
        total([1.0] * 9)


numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))


@given(st.lists(numbers, min_size=2, max_size=30, unique=True), st.floats(0.1, 1e3), numbers)
def test_points_do_not_change_with_the_unit(peers: list[float], factor: float, shift: float) -> None:
    value = peers[0]
    moved = [factor * peer + shift for peer in peers]
    assert min_max_points(moved[0], moved) == pytest.approx(min_max_points(value, peers), abs=1e-3)
