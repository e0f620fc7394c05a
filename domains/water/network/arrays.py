"""An EPANET file as plain arrays, cut where a meter or a level gauge makes the flow or the head known.

SI units inside: heads m, flows m³/s. A pump whose flow is measured becomes a draw at its start and an inflow at its
end; a tank whose level is measured becomes a fixed head. So each part has its own balance and needs no control rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domains.water.network.distance import Link, links_of

Floats = NDArray[Any]
"""Arrays of numbers; shapes stand in the docstrings (numpy's own types of bincount and the like say int or float)."""
Ints = NDArray[np.int64]

HW_EXPONENT = 1.852
HW_FACTOR = 10.667
DW_EXPONENT, CM_EXPONENT = 2.0, 2.0
GRAVITY = 9.81
SMOOTH_FLOW_M3_S = 1e-6
OPEN_RESISTANCE = 1e-2
"""m per (m³/s)²: an open valve that the file gives no loss."""


class NetworkError(ValueError):
    """The file is no network that can be computed; the text says which part of it."""


@dataclass(frozen=True, slots=True)
class Valve:
    """A pressure-reducing valve: link row, node rows, head that it keeps after itself, m."""

    link: int
    start: int
    end: int
    head_m: float


@dataclass(frozen=True, slots=True)
class Tank:
    """A tank whose level is measured: node row, bottom (m), water surface (m²)."""

    name: str
    node: int
    bottom_m: float
    area_m2: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A pump that nobody meters: head gain = rise − factor × flow ** exponent."""

    link: int
    rise_m: float
    factor: float
    exponent: float


@dataclass(frozen=True, slots=True)
class Network:
    """Rows: `nodes` and `links` are the order of every array.

    base_m3_s: (kinds, nodes) base demand of each demand pattern. cut: metered pumps (link rows), no hydraulics of
    their own. resistance, exponent, minor: loss of a link = resistance × q ** exponent + minor × q².
    """

    nodes: tuple[str, ...]
    links: tuple[Link, ...]
    start: Ints
    end: Ints
    elevation_m: Floats
    xy: Floats
    is_pipe: NDArray[np.bool_]
    closed: NDArray[np.bool_]
    resistance: Floats
    exponent: float
    minor: Floats
    area_m2: Floats
    kinds: tuple[str, ...]
    base_m3_s: Floats
    pattern_step_s: int
    patterns: tuple[Floats, ...]
    fixed: Ints
    fixed_head_m: Floats
    tanks: tuple[Tank, ...]
    valves: tuple[Valve, ...]
    pumps: tuple[Curve, ...]
    cut: tuple[int, ...]

    def node(self, name: str) -> int:
        return self.nodes.index(name)

    def link(self, name: str) -> int:
        return next(row for row, link in enumerate(self.links) if link.name == name)

    @property
    def pipes(self) -> Ints:
        """Rows of the links that can leak."""
        return np.flatnonzero(self.is_pipe & ~self.closed)

    def zones(self, flow_links: Iterable[int]) -> Ints:
        """(nodes,): number of the part that each node is in when the metered links are taken out."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        kept = ~self.closed
        kept[list(flow_links)] = False
        size = len(self.nodes)
        graph = coo_matrix((np.ones(kept.sum()), (self.start[kept], self.end[kept])), shape=(size, size))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def read_network(path: Path, metered: Iterable[str] = (), levels: Iterable[str] = ()) -> Network:
    """Reads a `.inp`; `metered` are links with a flow series, `levels` tanks with a level series."""
    import wntr

    try:
        model = wntr.network.WaterNetworkModel(str(path))
    except Exception as error:
        raise NetworkError(f"{path}: not an EPANET network: {error}") from error
    return network_of(model, set(metered), set(levels))


def network_of(model: Any, metered: set[str], levels: set[str]) -> Network:
    """The arrays of a wntr model; every name that is not in it is left out by the caller's own check."""
    nodes = tuple(model.node_name_list)
    row = {name: number for number, name in enumerate(nodes)}
    links = tuple(links_of(model))
    things = [model.get_link(link.name) for link in links]
    start = np.array([row[link.start] for link in links])
    end = np.array([row[link.end] for link in links])
    is_pipe = np.array([thing.link_type == "Pipe" for thing in things])
    cut = tuple(n for n, thing in enumerate(things) if thing.link_type == "Pump" and links[n].name in metered)
    closed = np.array([str(thing.initial_status) == "Closed" for thing in things])
    closed[list(cut)] = True
    resistance, exponent, minor, area = _losses(model, things)
    kinds, base = _demands(model, nodes)
    tanks = tuple(
        Tank(name, row[name], float(tank.elevation), float(np.pi * tank.diameter**2 / 4))
        for name, tank in model.tanks()
    )
    fixed = [row[name] for name in (*model.reservoir_name_list, *model.tank_name_list)]
    heads = [float(model.get_node(name).base_head) for name in model.reservoir_name_list]
    heads += [float(tank.elevation + tank.init_level) for _, tank in model.tanks()]
    valves, pumps = _valves_and_pumps(things, closed, row, model)
    return Network(
        nodes=nodes,
        links=links,
        start=start,
        end=end,
        elevation_m=np.array([float(getattr(model.get_node(name), "elevation", 0.0) or 0.0) for name in nodes]),
        xy=np.array([model.get_node(name).coordinates for name in nodes], dtype=np.float64),
        is_pipe=is_pipe,
        closed=closed,
        resistance=resistance,
        exponent=exponent,
        minor=minor,
        area_m2=area,
        kinds=kinds,
        base_m3_s=base,
        pattern_step_s=int(model.options.time.pattern_timestep),
        patterns=tuple(_pattern(model, kind) for kind in kinds),
        fixed=np.array(fixed, dtype=np.int64),
        fixed_head_m=np.array(heads),
        tanks=tanks,
        valves=valves,
        pumps=pumps,
        cut=cut,
    )


def _losses(model: Any, things: list[Any]) -> tuple[Floats, float, Floats, Floats]:
    """resistance, exponent, minor loss and cross-section of every link; Darcy-Weisbach with its rough-pipe factor."""
    formula = model.options.hydraulic.headloss
    resistance, minor, area = np.full(len(things), 0.0), np.zeros(len(things)), np.ones(len(things))
    for n, thing in enumerate(things):
        diameter = float(getattr(thing, "diameter", 0.0) or 0.3)
        area[n] = np.pi * diameter**2 / 4
        loss = float(getattr(thing, "minor_loss", 0.0) or 0.0)
        if getattr(thing, "valve_type", "") == "TCV":
            loss = max(loss, float(thing.initial_setting or 0.0))
        minor[n] = loss / (2 * GRAVITY * area[n] ** 2)
        if thing.link_type != "Pipe":
            minor[n] = max(minor[n], OPEN_RESISTANCE)
            continue
        length, rough = float(thing.length), float(thing.roughness)
        if formula == "H-W":
            resistance[n] = HW_FACTOR * length / (rough**HW_EXPONENT * diameter**4.871)
        elif formula == "C-M":
            resistance[n] = 10.29 * rough**2 * length / diameter**5.33
        else:
            factor = 0.25 / np.log10(max(rough, 1e-6) / (3.7 * diameter) + 5.74 / 1e5**0.9) ** 2
            resistance[n] = factor * length / diameter / (2 * GRAVITY * area[n] ** 2)
    return resistance, HW_EXPONENT if formula == "H-W" else 2.0, minor, area


def _demands(model: Any, nodes: tuple[str, ...]) -> tuple[tuple[str, ...], Floats]:
    """Names of the demand patterns in use ("" is none), and base demand (kinds, nodes), m³/s."""
    found: dict[str, Floats] = {}
    for number, name in enumerate(nodes):
        junction = model.get_node(name)
        for demand in getattr(junction, "demand_timeseries_list", ()):
            if demand.base_value:
                kind = demand.pattern_name or ""
                found.setdefault(kind, np.zeros(len(nodes)))[number] += demand.base_value
    kinds = tuple(sorted(found))
    return kinds, np.array([found[kind] for kind in kinds]).reshape(len(kinds), len(nodes))


def _pattern(model: Any, kind: str) -> Floats:
    if not kind or kind not in model.pattern_name_list:
        return np.ones(1)
    return np.asarray(model.get_pattern(kind).multipliers, dtype=np.float64)


def _valves_and_pumps(
    things: list[Any], closed: NDArray[np.bool_], row: dict[str, int], model: Any
) -> tuple[tuple[Valve, ...], tuple[Curve, ...]]:
    valves, pumps = [], []
    for n, thing in enumerate(things):
        if closed[n]:
            continue
        if thing.link_type == "Valve" and thing.valve_type == "PRV" and str(thing.initial_status) == "Active":
            end = thing.end_node_name
            head = float(thing.initial_setting) + float(model.get_node(end).elevation)
            valves.append(Valve(n, row[thing.start_node_name], row[end], head))
        if thing.link_type == "Pump" and getattr(thing, "pump_type", "") == "HEAD":
            rise, factor, exponent = thing.get_head_curve_coefficients()
            pumps.append(Curve(n, float(rise), float(factor), float(exponent)))
    return tuple(valves), tuple(pumps)
