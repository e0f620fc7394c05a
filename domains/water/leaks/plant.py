"""The network bound to its meters: which channel is which node, link or tank, and what the model says of one hour.

Flows m³/h, heads and pressures m. The observations of an hour are the pressures, then the flows of the metered links
that were not cut, then the balance of each part (zone) between its flow meters: inflow − tank change − demand.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from domains.water.leaks.demand import LIKE_BASE, Meters, calendar_course, meters_of
from domains.water.network.arrays import Floats, Ints, Network
from domains.water.network.hydraulics import Solver, State
from domains.water.scada import Channels

HOUR = 3600.0
LEAST_DEMAND = 0.05
"""Share of the predicted demand that is left at least when leaks are taken out of a zone's inflow."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A part between flow meters: its meters (column among the channels, +1 in or −1 out) and its tanks."""

    number: int
    meters: tuple[tuple[int, float], ...]
    tanks: tuple[int, ...]
    balanced: bool


@dataclass(frozen=True, slots=True)
class Hour:
    """Means of one hour. values: (channels,); fall_m: (tanks,) drop of level over the hour; courses: (kinds,)."""

    number: int
    values: Floats
    fall_m: Floats
    courses: Floats


@dataclass(frozen=True, slots=True)
class Moment:
    """What the model says of an hour. predicted, measured: (observations,). answer: (observations, nodes) for 1 m³/h
    more drawn at a node while a balanced zone's inflow stays what its meters say."""

    predicted: Floats
    measured: Floats
    answer: NDArray[np.float32]
    state: State

    @property
    def residual(self) -> Floats:
        return self.measured - self.predicted


@dataclass(slots=True)
class Plant:
    """Network, channels and what was learned of them: factors of demand (entries) and zone (zones, kinds)."""

    network: Network
    channels: Channels
    solver: Solver
    meters: Meters | None
    whole: NDArray[np.bool_]
    pressure_nodes: Ints
    pressure_columns: Ints
    flow_links: Ints
    flow_columns: Ints
    cut_columns: Ints
    tank_columns: Ints
    zone_of: Ints
    zones: tuple[Zone, ...]
    entry_kind: Ints
    entry_node: Ints
    entry_base: Floats
    factor: Floats
    level: Floats
    offset: Floats
    held: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Pressures, flows, zones among the observations."""
        return len(self.pressure_nodes), len(self.flow_links), len(self.zones)

    # --- the drivers of an hour

    def courses(self, values: Floats, seconds: float) -> Floats:
        """(kinds,) of an hour: from the household meters, else from the file's patterns."""
        told = None if self.meters is None else self.meters.courses(values[self.channels.slices["demand"]])
        if told is None or not np.isfinite(told).all():
            return calendar_course(self.network, seconds)
        return told

    def inflow(self, hour: Hour) -> Floats:
        """(zones,) m³/h into each zone by its meters and tanks; NaN where it cannot be known."""
        told = np.full(len(self.zones), np.nan)
        for zone in self.zones:
            if zone.balanced:
                told[zone.number] = sum(sign * hour.values[column] for column, sign in zone.meters) + sum(
                    hour.fall_m[tank] * self.network.tanks[tank].area_m2 for tank in zone.tanks
                )
        return told

    def draws(self, hour: Hour) -> Floats:
        """(nodes,) m³/h that the town is predicted to draw: metered nodes as read, the others by the model."""
        rate = self.entry_base * self.factor * hour.courses[self.entry_kind]
        rate = rate * self.level[self.zone_of[self.entry_node], self.entry_kind]
        draws = np.bincount(self.entry_node, weights=rate, minlength=len(self.network.nodes))
        if self.meters is not None and self.whole.any():
            read = hour.values[self.channels.slices["demand"]]
            good = self.whole & np.isfinite(read)
            draws[self.meters.nodes[good]] = read[good] / 1000.0
        return draws

    def balance(self, hour: Hour, draws: Floats) -> Floats:
        """(zones,) inflow that no demand explains; NaN where it cannot be known."""
        return self.inflow(hour) - np.bincount(self.zone_of, weights=draws, minlength=len(self.zones))

    # --- the model

    def moment(self, hour: Hour, leaks: Floats, start: State | None = None) -> Moment:
        """Solves an hour with `leaks` (nodes,) m³/h running."""
        network, size = self.network, len(self.network.nodes)
        draws = self.draws(hour)
        balance = self.balance(hour, draws)
        leaking = np.bincount(self.zone_of, weights=leaks, minlength=len(self.zones))
        predicted = np.bincount(self.zone_of, weights=draws, minlength=len(self.zones))
        wanted = np.maximum(predicted + balance - leaking, LEAST_DEMAND * predicted)
        scale = np.where(np.isfinite(wanted) & (predicted > 0), wanted / np.where(predicted > 0, predicted, 1), 1.0)
        drawn = draws * scale[self.zone_of]
        demand = drawn + leaks
        values = self._held(hour.values)
        for link, column in zip(network.cut, self.cut_columns, strict=True):
            demand[network.start[link]] += values[column]
            demand[network.end[link]] -= values[column]
        heads = network.fixed_head_m.copy()
        for tank, column in zip(network.tanks, self.tank_columns, strict=True):
            if column >= 0:
                heads[np.flatnonzero(network.fixed == tank.node)[0]] = tank.bottom_m + values[column]
        state = self.solver.solve(demand / HOUR, heads, start)
        answer = self.solver.sensitivity(state, self.pressure_nodes, self.flow_links)
        answer[: len(self.pressure_nodes)] /= HOUR
        self._keep_inflow(answer, drawn, balance)
        pressures = state.head_m[self.pressure_nodes] - network.elevation_m[self.pressure_nodes]
        into = np.zeros((len(self.zones), size), dtype=np.float32)
        into[self.zone_of, np.arange(size)] = 1.0
        return Moment(
            predicted=np.concatenate([pressures + self.offset, state.flow_m3_s[self.flow_links] * HOUR, leaking]),
            measured=np.concatenate([hour.values[self.pressure_columns], hour.values[self.flow_columns], balance]),
            answer=np.concatenate([answer.astype(np.float32), into]),
            state=state,
        )

    def _keep_inflow(self, answer: Floats, drawn: Floats, balance: Floats) -> None:
        """A leak takes its water from the other draws of a balanced zone, not from more inflow."""
        for zone in self.zones:
            inside = self.zone_of == zone.number
            total = drawn[inside].sum()
            if np.isfinite(balance[zone.number]) and total > 0:
                answer[:, inside] -= (answer[:, inside] @ drawn[inside] / total)[:, None]

    def _held(self, values: Floats) -> Floats:
        """The values with gaps filled by the last one seen: a pump's flow and a tank's level drive the model."""
        if len(self.held) != len(values):
            self.held = np.where(np.isfinite(values), values, 0.0)
        self.held = np.where(np.isfinite(values), values, self.held)
        return self.held

    def with_resistance(self, log_change: Floats) -> None:
        """Takes over calibrated pipe resistances: (links,) natural logarithm of the factor."""
        self.network = replace(self.network, resistance=self.network.resistance * np.exp(log_change))
        self.solver = Solver(self.network)


def bind(network: Network, channels: Channels) -> Plant:
    """Binds channels by name; a channel that names nothing of the network is not used."""
    slices, nodes = channels.slices, {name: n for n, name in enumerate(network.nodes)}
    link_rows = {link.name: n for n, link in enumerate(network.links)}
    pressures = [
        (nodes[name], n) for n, name in enumerate(channels.pressure, slices["pressure"].start) if name in nodes
    ]
    flows = [(link_rows[name], n) for n, name in enumerate(channels.flow, slices["flow"].start) if name in link_rows]
    levels = {name: n for n, name in enumerate(channels.level, slices["level"].start)}
    tank_columns = np.array([levels.get(tank.name, -1) for tank in network.tanks], dtype=np.int64)
    zone_of = network.zones([link for link, _ in flows])
    kinds, entry_node = np.nonzero(network.base_m3_s)
    meters = meters_of(network, channels.demand)
    columns = dict(flows)
    open_flows = [(link, column) for link, column in flows if link not in network.cut]
    count = int(zone_of.max()) + 1 if len(zone_of) else 0
    return Plant(
        network=network,
        channels=channels,
        solver=Solver(network),
        meters=meters,
        whole=np.zeros(len(channels.demand), dtype=bool),
        pressure_nodes=np.array([node for node, _ in pressures], dtype=np.int64),
        pressure_columns=np.array([column for _, column in pressures], dtype=np.int64),
        flow_links=np.array([link for link, _ in open_flows], dtype=np.int64),
        flow_columns=np.array([column for _, column in open_flows], dtype=np.int64),
        cut_columns=np.array([columns[link] for link in network.cut], dtype=np.int64),
        tank_columns=tank_columns,
        zone_of=zone_of,
        zones=_zones(network, zone_of, flows, tank_columns, count),
        entry_kind=kinds,
        entry_node=entry_node,
        entry_base=network.base_m3_s[kinds, entry_node] * HOUR,
        factor=np.ones(len(kinds)),
        level=np.ones((count, len(network.kinds))),
        offset=np.zeros(len(pressures)),
    )


def whole_meters(plant: Plant, mean_litres_h: Floats) -> NDArray[np.bool_]:
    """Which household meters measure their whole node, judged by their mean reading beside the base demand."""
    if plant.meters is None:
        return np.zeros(len(plant.channels.demand), dtype=bool)
    base = plant.meters.base.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = mean_litres_h / 1000.0 / base
    return np.asarray((base > 0) & (ratio > LIKE_BASE[0]) & (ratio < LIKE_BASE[1]))


def _zones(
    network: Network, zone_of: Ints, flows: list[tuple[int, int]], tank_columns: Ints, count: int
) -> tuple[Zone, ...]:
    zones = []
    drawn = np.zeros(count)
    np.add.at(drawn, zone_of, network.base_m3_s.sum(axis=0))
    tank_nodes = {tank.node for tank in network.tanks}
    for number in range(count):
        meters = []
        for link, column in flows:
            into = int(zone_of[network.end[link]] == number) - int(zone_of[network.start[link]] == number)
            if into:
                meters.append((column, float(into)))
        tanks = tuple(n for n, tank in enumerate(network.tanks) if zone_of[tank.node] == number)
        sources = [node for node in network.fixed if zone_of[node] == number and node not in tank_nodes]
        known = all(tank_columns[tank] >= 0 for tank in tanks) and not sources and bool(meters)
        zones.append(Zone(number, tuple(meters), tanks, known and drawn[number] > 0))
    return tuple(zones)
