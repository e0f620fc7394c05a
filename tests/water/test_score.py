"""The contest's economics against cases counted by hand."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from apps.cli.main import app
from domains.water.network.distance import Link, PipeDistance
from domains.water.score import Told, TrueLeak, score

BEGIN = datetime(2019, 1, 1)
TIMES = [BEGIN + timedelta(minutes=5 * n) for n in range(288)]
LINKS = [
    Link("a", "1", "2", 100.0),
    Link("b", "2", "3", 100.0),
    Link("c", "3", "4", 200.0),
    Link("d", "4", "5", 400.0),
    Link("valve", "5", "6", 0.0),
    Link("far", "8", "9", 50.0),
]
DISTANCE = PipeDistance(LINKS)


def leak(pipe: str = "a", first: int = 12, last: int = 35, flow: float = 12.0) -> TrueLeak:
    series = np.zeros(288)
    series[first : last + 1] = flow
    return TrueLeak(pipe, TIMES[first], TIMES[last], series)


def told(pipe: str, step: int) -> Told:
    return Told(pipe, BEGIN + timedelta(minutes=5 * step))


def test_distance_is_between_the_middles_of_pipes() -> None:
    assert DISTANCE.between("a", "a") == 0
    assert DISTANCE.between("a", "b") == pytest.approx(50 + 50)
    assert DISTANCE.between("a", "c") == pytest.approx(50 + 100 + 100)
    assert DISTANCE.between("c", "valve") == pytest.approx(100 + 400, abs=1e-3)
    assert DISTANCE.between("a", "far") == float("inf")


def test_the_shorter_of_two_pipes_side_by_side_counts() -> None:
    doubled = PipeDistance([*LINKS, Link("b2", "2", "3", 10.0)])
    assert doubled.between("a", "c") == pytest.approx(50 + 10 + 100)


def test_the_distance_matrix_says_the_same() -> None:
    names = [link.name for link in LINKS]
    matrix = DISTANCE.matrix(names)
    for row, one in enumerate(names):
        for column, other in enumerate(names):
            assert matrix[row, column] == pytest.approx(DISTANCE.between(one, other), rel=1e-5)


def test_a_leak_found_in_its_own_pipe_at_its_start_earns_all_its_water() -> None:
    result = score([told("a", 12)], [leak()], TIMES, DISTANCE.between)
    # 24 steps of 12 m³/h: 24 × 12 / 12 = 24 m³, at 0.80 EUR.
    assert result.eur == pytest.approx(24 * 0.80)
    assert (result.found, result.false_crews, result.perfect_eur) == (1, 0, pytest.approx(19.2))


def test_a_late_and_distant_detection_earns_what_is_left_less_the_search() -> None:
    result = score([told("b", 24)], [leak()], TIMES, DISTANCE.between)
    # 12 steps are left: 12 m³ = 9.60 EUR; 100 m of 300 m: a third of 500 EUR.
    assert result.eur == pytest.approx(9.60 - 500 / 3)
    assert result.leaks[0].distance_m == pytest.approx(100)
    assert result.leaks[0].delay_hours == pytest.approx(1)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (told("d", 20), "too far"),
        (told("a", 11), "too early"),
        (told("a", 36), "repaired"),
        (told("far", 20), "no way"),
    ],
)
def test_a_crew_for_nothing_costs(one: Told, why: str) -> None:
    result = score([one], [leak()], TIMES, DISTANCE.between)
    assert (result.eur, result.found, result.false_crews) == (-500, 0, 1), why


def test_a_leak_found_again_earns_nothing_and_costs_nothing() -> None:
    result = score([told("a", 12), told("b", 20)], [leak()], TIMES, DISTANCE.between)
    assert result.eur == pytest.approx(19.2)
    assert (result.found, result.again, result.false_crews) == (1, 1, 0)


def test_two_leaks_in_reach_are_found_by_two_detections_the_nearer_first() -> None:
    leaks = [leak("c"), leak("a")]
    result = score([told("b", 12), told("b", 12)], leaks, TIMES, DISTANCE.between)
    assert [one.distance_m for one in result.leaks] == [pytest.approx(150), pytest.approx(100)]
    assert result.found == 2


def test_detections_before_the_flows_are_left_out() -> None:
    result = score([told("far", -1)], [leak()], TIMES, DISTANCE.between)
    assert (result.eur, result.ignored, result.false_crews) == (0, 1, 0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 287)), max_size=12))
def test_no_list_beats_perfect_play_and_order_does_not_matter(found: list[tuple[str, int]]) -> None:
    leaks = [leak("a"), leak("c", 40, 200, 30.0)]
    detections = [told(pipe, step) for pipe, step in found]
    one = score(detections, leaks, TIMES, DISTANCE.between)
    assert one.eur <= one.perfect_eur + 1e-9
    assert one.found + one.again + one.false_crews == len(detections)
    assert one.eur >= -500 * len(detections)
    shuffled = sorted(detections, key=lambda each: (each.detected_at, each.pipe))
    assert (
        score(shuffled, leaks, TIMES, DISTANCE.between).found
        == score(
            sorted(detections, key=lambda each: (each.detected_at, each.pipe)), leaks, TIMES, DISTANCE.between
        ).found
    )


NETWORK = """[JUNCTIONS]
 n1 0 1
 n2 0 1
 n3 0 1
[RESERVOIRS]
 r 50
[PIPES]
 p0 r n1 100 300 120
 p1 n1 n2 100 300 120
 p2 n2 n3 100 300 120
[OPTIONS]
 Units CMH
 Headloss H-W
[END]
"""


def test_the_command_scores_files(tmp_path: Path) -> None:
    network, truth, flows, found = (tmp_path / name for name in ("n.inp", "t.csv", "f.parquet", "d.csv"))
    network.write_text(NETWORK)
    truth.write_text("pipe,start,end,kind\np1,2019-01-01 01:00:00,2019-01-01 02:55:00,abrupt\n")
    pl.DataFrame({"timestamp": TIMES, "p1": leak().flow_m3_h}).write_parquet(flows)
    found.write_text(
        "pipe,detected_at,confidence,leak_m3_h\np1,2019-01-01 02:00:00,0.9,12\np0,2019-01-01 09:00,0.5,1\n"
    )
    options = ["--network", network, "--truth", truth, "--flows", flows, "--detections", found, "--json"]
    run = CliRunner().invoke(app, ["water", "score", *map(str, options)])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert (told["found"], told["false_crews"]) == (1, 1)
    assert told["eur"] == pytest.approx(12 * 0.8 - 500)
    found.write_text("pipe,detected_at\nnowhere,2019-01-01 02:00:00\n")
    bad = CliRunner().invoke(app, ["water", "score", *map(str, options)])
    assert bad.exit_code == 2
    assert "nowhere" in bad.stderr
