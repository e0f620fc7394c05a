"""What if: on a loop that can be reckoned by hand, and timed on a network of a town's size."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import wntr

from domains.water.whatif import Change, WhatIfError, baseline, busiest_and_quietest, unreached, what_if

HEAD = 50.0
LENGTH, DIAMETER, ROUGHNESS, DEMAND = 1_000.0, 0.2, 100.0, 0.02


def hazen_williams_m(flow_m3_s: float) -> float:
    """Head lost in one of the loop's pipes (EPANET 2.2 manual, table 3.1, SI)."""
    return 10.667 * ROUGHNESS**-1.852 * DIAMETER**-4.871 * LENGTH * flow_m3_s**1.852


def loop() -> Any:
    """A reservoir and a junction J with 20 l/s, joined by two equal pipes; D hangs on J by a pipe and takes nothing."""
    model = wntr.network.WaterNetworkModel()
    model.options.hydraulic.headloss = "H-W"
    model.add_reservoir("R", base_head=HEAD, coordinates=(0, 0))
    model.add_junction("J", base_demand=DEMAND, elevation=0, coordinates=(1_000, 0))
    model.add_junction("D", base_demand=0.001, elevation=0, coordinates=(2_000, 0))
    for name in ("a", "b"):
        model.add_pipe(name, "R", "J", length=LENGTH, diameter=DIAMETER, roughness=ROUGHNESS)
    model.add_pipe("d", "J", "D", length=1.0, diameter=DIAMETER, roughness=ROUGHNESS)
    return model


def pressure(answer: Any, node: str, column: str) -> float:
    return float(answer.nodes.filter(answer.nodes["node_id"] == node)[column][0])


def test_closing_one_of_two_equal_pipes_by_hand() -> None:
    """Each pipe carried half the flow; the open one now carries all of it: 2^1.852 = 3.61 times the head is lost."""
    told = what_if(baseline(loop()), Change(close=("a",)), pressure_min_m=20)
    flow = DEMAND + 0.001
    assert pressure(told, "J", "before_m") == pytest.approx(HEAD - hazen_williams_m(flow / 2), abs=0.02)
    assert pressure(told, "J", "after_m") == pytest.approx(HEAD - hazen_williams_m(flow), abs=0.05)
    assert (told.below, told.newly_below, told.cut_off) == (0, 0, 0)
    strict = what_if(baseline(loop()), Change(close=("a",)), pressure_min_m=HEAD - hazen_williams_m(flow) + 1)
    assert strict.newly_below == 2


def test_who_is_cut_off_has_no_pressure_and_takes_no_water() -> None:
    told = what_if(baseline(loop()), Change(close=("d",)), pressure_min_m=20)
    assert told.cut_off == 1
    assert told.demand_m3_day("is_cut_off") == pytest.approx(86.4)
    assert told.nodes.filter(told.nodes["node_id"] == "D")["after_m"][0] is None
    assert pressure(told, "J", "after_m") == pytest.approx(HEAD - hazen_williams_m(DEMAND / 2), abs=0.02)


def test_a_leak_loses_what_was_said_and_a_repair_ends_it() -> None:
    base = baseline(loop(), {"d": 10.0})
    same = what_if(base, Change(), pressure_min_m=20)
    assert same.loss_before_m3_h == pytest.approx(10.0, rel=0.01)
    assert same.saved_m3_h == pytest.approx(0.0, abs=0.02)
    mended = what_if(base, Change(repair=("d",)), pressure_min_m=20)
    assert mended.loss_after_m3_h == 0
    assert mended.saved_m3_h == pytest.approx(10.0, rel=0.01)
    assert pressure(mended, "D", "change_m") > 0


def test_less_pressure_leaks_less_by_the_root() -> None:
    base = baseline(loop(), {"d": 3.6})
    told = what_if(base, Change(close=("a",)), pressure_min_m=20)
    ratio = math.sqrt(pressure(told, "J", "after_m") / pressure(told, "J", "before_m"))
    assert told.loss_after_m3_h / told.loss_before_m3_h == pytest.approx(ratio, abs=0.005)


def test_a_leak_behind_the_closed_pipe_runs_no_more() -> None:
    model = loop()
    model.add_junction("E", base_demand=0.0, elevation=0)
    model.add_pipe("e", "D", "E", length=1.0, diameter=DIAMETER, roughness=ROUGHNESS)
    told = what_if(baseline(model, {"e": 5.0}), Change(close=("d",)), pressure_min_m=20)
    assert told.loss_after_m3_h == 0


def test_peak_and_night_come_from_the_patterns() -> None:
    model = loop()
    model.add_pattern("day", [0.2, 1.0, 1.8, 1.0])
    model.options.time.pattern_timestep = 6 * 3_600
    model.get_node("J").demand_timeseries_list[0].pattern_name = "day"
    assert busiest_and_quietest(model) == (12 * 3_600, 0)
    told = baseline(model)
    assert told.pressure["J"][0] < told.pressure["J"][1]


def test_questions_that_cannot_be_asked() -> None:
    base = baseline(loop())
    with pytest.raises(WhatIfError, match="'x'"):
        what_if(base, Change(close=("x",)), pressure_min_m=20)
    with pytest.raises(WhatIfError, match="no leak"):
        what_if(base, Change(repair=("a",)), pressure_min_m=20)
    with pytest.raises(WhatIfError, match="'nowhere'"):
        baseline(loop(), {"nowhere": 1.0})
    assert unreached(loop(), ("a", "b")) == {"J", "D"}


def test_a_town_is_answered_in_seconds() -> None:
    """ky4 ships with wntr: 1,156 pipes, with tanks, pumps and controls."""
    model = wntr.network.WaterNetworkModel("ky4")
    pipe = next(name for name, link in model.pipes() if str(link.initial_status) != "Closed")
    base = baseline(model, {pipe: 5.0})
    started = time.perf_counter()
    told = what_if(base, Change(close=(pipe,)), pressure_min_m=20)
    assert time.perf_counter() - started < 20
    assert told.nodes.height == model.num_junctions
