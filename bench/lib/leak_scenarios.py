"""SCADA of a network with leaks, made by EPANET: what the file says of roughness and demand is wrong by a seeded error.

Hourly steps (five-minute rows run evenly between hours, with meter noise, rounded as meters round), so that months
take seconds. Leaks stand in the middle of a pipe; an abrupt one runs at once, a growing one by the square of time until
its peak. The detector gets the original file.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domains.water.scada import Channels, Scada
from domains.water.score import Told, TrueLeak

BEGIN = datetime(2024, 1, 1)
STEPS_AN_HOUR = 12


@dataclass(frozen=True, slots=True)
class Planned:
    """A leak to simulate; hours since the begin. peak == start: abrupt."""

    pipe: str
    start: int
    peak: int
    end: int
    flow_m3_h: float


@dataclass(frozen=True, slots=True)
class Scenario:
    scada: Scada
    leaks: tuple[TrueLeak, ...]
    times: tuple[datetime, ...]


def course(leak: Planned, hours: int) -> NDArray[np.float64]:
    """(hours,) m³/h of a planned leak."""
    number = np.arange(hours)
    risen = np.clip((number - leak.start + 1) / max(1, leak.peak - leak.start + 1), 0, 1) ** 2
    running = (number >= leak.start) & (number < leak.end)
    return np.asarray(leak.flow_m3_h * risen * running)


def simulate(
    network: Path,
    days: int,
    leaks: Sequence[Planned],
    channels: Channels,
    seed: int = 0,
    errors: tuple[float, float] = (0.1, 0.1),
    begin: datetime = BEGIN,
) -> Scenario:
    """errors: spread of ln roughness and of ln demand, by which reality differs from the file."""
    import wntr

    random = np.random.default_rng(seed)
    hours = days * 24
    model = wntr.network.WaterNetworkModel(str(network))
    _disturb(model, random, errors, hours)
    for number, leak in enumerate(leaks):
        _plant(model, leak, number, hours)
    model.options.hydraulic.accuracy = 1e-5  # a file's 0.01 leaves centimetres of noise in the heads
    model.options.time.duration = (hours - 1) * 3600
    model.options.time.hydraulic_timestep = model.options.time.report_timestep = 3600
    with TemporaryDirectory() as folder:
        results = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(Path(folder) / "scenario"))
    values = _meters(model, results, channels, hours, random)
    series = {leak.pipe: np.repeat(course(leak, hours), STEPS_AN_HOUR) for leak in leaks}
    true = tuple(
        TrueLeak(
            leak.pipe, begin + timedelta(hours=leak.start), begin + timedelta(hours=leak.end, minutes=-5),
            series[leak.pipe],
        )
        for leak in leaks
    )  # fmt: skip
    times = tuple(begin + timedelta(minutes=5 * n) for n in range(hours * STEPS_AN_HOUR))
    return Scenario(Scada(begin, channels, values), true, times)


def channels_of(model: Any, pressures: Sequence[str], flows: Sequence[str], meters: Sequence[str]) -> Channels:
    return Channels(tuple(pressures), tuple(flows), tuple(model.tank_name_list), tuple(meters))


def _disturb(model: Any, random: np.random.Generator, errors: tuple[float, float], hours: int) -> None:
    for _, pipe in model.pipes():
        pipe.roughness *= float(np.exp(random.normal(0, errors[0])))
    for _, node in model.junctions():
        factor = float(np.exp(random.normal(0, errors[1])))
        for demand in node.demand_timeseries_list:
            demand.base_value *= factor
    season = 1 + 0.08 * np.sin(2 * np.pi * np.arange(hours) / (24 * 180))
    per_hour = max(1, int(3600 / model.options.time.pattern_timestep))
    for name in list(model.pattern_name_list):
        base = np.asarray(model.get_pattern(name).multipliers, dtype=float)
        base = base[::per_hour] if len(base) > per_hour else base
        wobble = np.repeat(np.exp(random.normal(0, 0.04, days := hours // 24 + 1)), 24)[:hours]
        assert days
        noise = np.exp(random.normal(0, 0.01, hours))
        model.get_pattern(name).multipliers = np.resize(base, hours) * season * wobble * noise
    model.options.time.pattern_timestep = 3600


def _plant(model: Any, leak: Planned, number: int, hours: int) -> None:
    import wntr

    node = f"leak-{number}"
    wntr.morph.link.split_pipe(model, leak.pipe, f"{leak.pipe}-{node}", node, 0.5, return_copy=False)
    model.add_pattern(node, list(course(leak, hours) / max(leak.flow_m3_h, 1e-9)))
    model.get_node(node).add_demand(leak.flow_m3_h / 3600, node)


def _meters(
    model: Any, results: Any, channels: Channels, hours: int, random: np.random.Generator
) -> NDArray[np.float64]:
    def rows(frame: Any, names: Sequence[str], factor: float, noise: float, digits: int) -> NDArray[np.float64]:
        table = _between(frame[list(names)].to_numpy(dtype=float)[:hours] * factor, hours)
        return np.asarray(np.round(table + random.normal(0, noise, table.shape) * (np.abs(table) > 1e-3), digits))

    node, link = results.node, results.link
    parts = [
        rows(node["pressure"], channels.pressure, 1.0, 0.01, 2),
        rows(link["flowrate"], channels.flow, 3600.0, 0.05, 2),
        _levels(node["pressure"], channels.level, hours),
        rows(node["demand"], channels.demand, 3.6e6, 1.0, 1),
    ]
    return np.concatenate(parts, axis=1)


def _levels(frame: Any, names: Sequence[str], hours: int) -> NDArray[np.float64]:
    return np.round(_between(frame[list(names)].to_numpy(dtype=float)[:hours], hours), 3)


def _between(table: NDArray[np.float64], hours: int) -> NDArray[np.float64]:
    """(steps, columns): everything runs evenly from one hour's value to the next, so that means agree."""
    steps = np.arange(hours * STEPS_AN_HOUR) / STEPS_AN_HOUR
    told = [np.interp(steps, np.arange(hours), table[:, n]) for n in range(table.shape[1])]
    return np.asarray(np.array(told).reshape(table.shape[1], -1).T)


def told_of(findings: Sequence[Any]) -> list[Told]:
    return [Told(one.pipe, one.seen_at) for one in findings]


def broken(scenario: Scenario, channel: str, first: int, last: int, how: str) -> Scenario:
    """The scenario with one channel frozen, silent or drifting (0.02 m an hour) between two hours."""
    scada = scenario.scada
    values = scada.values.copy()
    column = scada.channels.names.index(channel)
    rows = slice(first * STEPS_AN_HOUR, last * STEPS_AN_HOUR)
    if how == "frozen":
        values[rows, column] = values[rows.start, column]
    elif how == "silent":
        values[rows, column] = np.nan
    else:
        values[rows, column] += 0.02 / STEPS_AN_HOUR * np.arange(rows.stop - rows.start)
    return Scenario(Scada(scada.begin, copy.copy(scada.channels), values), scenario.leaks, scenario.times)
