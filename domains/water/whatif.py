"""What if a valve is closed or a pipe is repaired: pressures and losses before and after, by EPANET, in seconds.

    base = baseline(model, {"p227": 6.0})
    told = what_if(base, Change(close=("p31",)), pressure_min_m=20)

Two moments are looked at: the hour of most demand, when pressure is lowest, and the hour of least, when leaks run
hardest. A leak flows out of both ends of its pipe by the law of an EPANET emitter, C·p^exponent, with C such that it
loses what was said (the mean of both moments) in the network as it is. Tanks stand at their first level.
"""

from __future__ import annotations

import copy
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

DAY_S = 86_400
SETTLE = 3
"""Rounds in which the emitters are fitted to the flows that were said."""
SECONDS_H = 3_600
LOWEST_HEAD_M = 1.0
_ENGINE = threading.Lock()
"""wntr's EPANET library keeps one network at a time."""


class WhatIfError(ValueError):
    """The question cannot be asked: the text says why, and what to change."""


@dataclass(frozen=True, slots=True)
class Change:
    """close: links that are shut. repair: pipes whose leak is gone (they stay open)."""

    close: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """The network as it is. pressure: node → (at peak, at night), metres. emitters: pipe → coefficient, SI units."""

    model: Any
    moments_s: tuple[int, int]
    leaks_m3_h: Mapping[str, float]
    emitters: Mapping[str, float]
    pressure: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """nodes: node_id, demand_m3_day, before_m, after_m, change_m (at peak), is_cut_off, is_below, was_below.

    A node that is cut off has no pressure after. Losses are means of both moments, m³/h. below, newly_below, cut_off:
    customers' nodes (with a demand); their demands are in `nodes`.
    """

    nodes: pl.DataFrame
    loss_before_m3_h: float
    loss_after_m3_h: float
    below: int
    newly_below: int
    cut_off: int

    @property
    def saved_m3_h(self) -> float:
        return self.loss_before_m3_h - self.loss_after_m3_h

    def demand_m3_day(self, flag: str) -> float:
        """Demand of the customers that `flag` (is_cut_off, is_below) is true of."""
        return float(self.nodes.filter(pl.col(flag))["demand_m3_day"].sum())


def baseline(model: Any, leaks_m3_h: Mapping[str, float] | None = None) -> Baseline:
    """Runs the network with its leaks; keep it, it is what the answers of many questions are compared with.

    leaks: pipe → m³/h that is lost now. WhatIfError names a pipe that the model does not have.
    """
    leaks = dict(leaks_m3_h or {})
    _known(model, leaks)
    moments = busiest_and_quietest(model)
    pressure = _pressures(model, moments, {})
    emitters: dict[str, float] = {}
    for _ in range(SETTLE if leaks else 0):
        exponent = _exponent(model)
        for pipe, flow in leaks.items():
            unit = _leak_m3_h(model, {pipe: 1.0}, pressure, exponent)
            floor = LOWEST_HEAD_M**exponent * SECONDS_H
            emitters[pipe] = flow / max(unit, floor)
        pressure = _pressures(model, moments, emitters)
    return Baseline(model, moments, leaks, emitters, pressure)


def what_if(base: Baseline, change: Change, *, pressure_min_m: float) -> Answer:
    """pressure_min_m: the norm, metres of water. WhatIfError for links and leaks that are not there."""
    _known(base.model, (*change.close, *change.repair))
    if strange := [pipe for pipe in change.repair if pipe not in base.emitters]:
        raise WhatIfError(f"pipe {strange[0]!r} has no leak that could be repaired; leave it out")
    emitters = {pipe: c for pipe, c in base.emitters.items() if pipe not in change.repair}
    cut_off = unreached(base.model, change.close) - unreached(base.model, ())
    after = _pressures(base.model, base.moments_s, emitters, closed=change.close, cut_off=cut_off)
    exponent = _exponent(base.model)
    nodes = _nodes(base, after, cut_off, pressure_min_m)
    served = nodes.filter(pl.col("demand_m3_day") > 0)
    return Answer(
        nodes=nodes,
        loss_before_m3_h=_leak_m3_h(base.model, base.emitters, base.pressure, exponent),
        loss_after_m3_h=_leak_m3_h(base.model, emitters, after, exponent),
        below=int(served["is_below"].sum()),
        newly_below=int((served["is_below"] & ~served["was_below"]).sum()),
        cut_off=int(served["is_cut_off"].sum()),
    )


def busiest_and_quietest(model: Any) -> tuple[int, int]:
    """Seconds of the model's first day at which all demands together are the most and the least."""
    step = max(1, int(model.options.time.pattern_timestep))
    count = max(1, min(DAY_S // step, 288))
    course = np.zeros(count)
    shares: dict[str | None, float] = {}
    for _, node in model.junctions():
        for demand in node.demand_timeseries_list:
            name = demand.pattern_name
            shares[name] = shares.get(name, 0.0) + float(demand.base_value)
    for name, base in shares.items():
        pattern = model.get_pattern(name) if name else None
        values = np.ones(1) if pattern is None else np.asarray(pattern.multipliers, dtype=float)
        course += base * values[np.arange(count) % len(values)]
    return int(np.argmax(course)) * step, int(np.argmin(course)) * step


def unreached(model: Any, closed: Iterable[str]) -> frozenset[str]:
    """Junctions that no reservoir or tank feeds when these links, and those shut in the model, are closed."""
    shut = set(closed)
    beside: dict[str, list[str]] = {}
    for name, link in model.links():
        if name in shut or str(link.initial_status) == "Closed":
            continue
        beside.setdefault(link.start_node_name, []).append(link.end_node_name)
        beside.setdefault(link.end_node_name, []).append(link.start_node_name)
    seen = {*model.reservoir_name_list, *model.tank_name_list}
    queue = deque(seen)
    while queue:
        for other in beside.get(queue.popleft(), ()):
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return frozenset(set(model.junction_name_list) - seen)


def _known(model: Any, links: Iterable[str]) -> None:
    known = set(model.link_name_list)
    if strange := sorted(set(links) - known):
        raise WhatIfError(f"the network has no link {strange[0]!r}; take a name of the map")


def _exponent(model: Any) -> float:
    return float(model.options.hydraulic.emitter_exponent or 0.5)


def _ends(model: Any, pipe: str) -> list[str]:
    """The pipe's ends that a leak can flow out of: junctions."""
    link = model.get_link(pipe)
    return [node for node in (link.start_node_name, link.end_node_name) if node in model.nodes.junction_names]


def _leak_m3_h(
    model: Any, emitters: Mapping[str, float], pressure: Mapping[str, tuple[float, float]], exponent: float
) -> float:
    """All that leaks lose, mean of both moments. A pipe's coefficient is shared by its ends."""
    total = 0.0
    for pipe, coefficient in emitters.items():
        ends = _ends(model, pipe)
        for node in ends:
            heads = np.clip(np.nan_to_num(pressure[node]), 0.0, None)  # cut off: no pressure, no leak
            total += coefficient / len(ends) * float(np.mean(heads**exponent)) * SECONDS_H
    return total


def _pressures(
    model: Any,
    moments_s: tuple[int, int],
    emitters: Mapping[str, float],
    *,
    closed: Iterable[str] = (),
    cut_off: frozenset[str] = frozenset(),
) -> dict[str, tuple[float, float]]:
    """Junction → pressure at both moments; what is cut off has none, and takes no water."""
    import wntr

    changed = copy.deepcopy(model)
    for name in closed:
        _close(changed, name)
    for name in cut_off:
        changed.get_node(name).demand_timeseries_list.clear()
    for pipe, coefficient in emitters.items():
        ends = [node for node in _ends(changed, pipe) if node not in cut_off]
        for node in ends:
            junction = changed.get_node(node)
            share = coefficient / len(_ends(changed, pipe))
            junction.emitter_coefficient = float(junction.emitter_coefficient or 0.0) + share
    changed.options.time.duration = 0
    changed.options.quality.parameter = "NONE"
    found = []
    with _ENGINE, tempfile.TemporaryDirectory(prefix="whatif-") as folder:
        for moment in moments_s:
            changed.options.time.pattern_start = moment
            try:
                results = wntr.sim.EpanetSimulator(changed).run_sim(file_prefix=str(Path(folder) / "net"))
            except Exception as error:  # EPANET's own, with a number of its list
                raise WhatIfError(f"EPANET cannot solve the network after this change: {error}") from error
            found.append(results.node["pressure"].iloc[0])
    peak, night = found
    return {
        name: (float("nan"), float("nan")) if name in cut_off else (float(peak[name]), float(night[name]))
        for name in model.junction_name_list
    }


def _close(model: Any, name: str) -> None:
    """Shuts a link, and takes away the controls and the check valve that could open it again."""
    import wntr

    link = model.get_link(name)
    for control in [key for key, rule in model.controls() if link in rule.requires()]:
        model.remove_control(control)
    if getattr(link, "check_valve", False):
        link.check_valve = False
    link.initial_status = wntr.network.LinkStatus.Closed


def _nodes(base: Baseline, after: Mapping[str, tuple[float, float]], cut: frozenset[str], norm: float) -> pl.DataFrame:
    rows = []
    for name, junction in base.model.junctions():
        before_m, after_m = base.pressure[name][0], after[name][0]
        gone = name in cut
        rows.append(
            {
                "node_id": name, "demand_m3_day": max(0.0, sum(
                    float(demand.base_value) for demand in junction.demand_timeseries_list) * DAY_S),
                "before_m": before_m, "after_m": None if gone else after_m,
                "change_m": None if gone else after_m - before_m, "is_cut_off": gone,
                "is_below": not gone and after_m < norm, "was_below": before_m < norm,
            }
        )  # fmt: skip
    schema = {
        "node_id": pl.String, "demand_m3_day": pl.Float64, "before_m": pl.Float64, "after_m": pl.Float64,
        "change_m": pl.Float64, "is_cut_off": pl.Boolean, "is_below": pl.Boolean, "was_below": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)
