"""Steady flow in the network: heads, flows, and how both answer to a leak anywhere.

The gradient method of Todini and Pilati (1988), which EPANET uses as well: in each round flows are linearised and the
heads solve one sparse system. That system's matrix also gives, for nothing but a solve a sensor, the sensitivity of
every sensor to a draw at every node. A pressure-reducing valve keeps the head after it: its node's balance is added
to the balance of the node before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from domains.water.network.arrays import Floats, Ints, Network

ROUNDS = 40
ACCURACY = 1e-3
"""Sum of the flows' changes over the sum of flows, as EPANET's ACCURACY; rounds converge quadratically."""
MIN_GRADIENT = 1e-4
"""m per m³/s… of a link at rest: below it a pipe counts as without loss."""
START_VELOCITY_M_S = 0.3


@dataclass(frozen=True, slots=True)
class State:
    """A solved moment: heads (nodes,) m, flows (links,) m³/s, and the factors of the last system."""

    head_m: Floats
    flow_m3_s: Floats
    factors: Any
    slope: Floats
    open_valves: frozenset[int]


class Solver:
    """Solves one network for many moments; keeps the pattern of the system."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._live = np.flatnonzero(~network.closed)
        self._valve_links = np.array([valve.link for valve in network.valves], dtype=np.int64)
        self._systems: dict[frozenset[int], _System] = {}

    def solve(self, demand_m3_s: Floats, fixed_head_m: Floats, start: State | None = None) -> State:
        """Heads and flows for the draw at every node (negative: inflow) and the heads of the fixed nodes."""
        open_valves = start.open_valves if start else frozenset()
        flow = start.flow_m3_s if start else START_VELOCITY_M_S * self.network.area_m2
        state = self._settle(demand_m3_s, fixed_head_m, flow, open_valves)
        for _ in range(3):
            wanted = self._valves_open(state)
            if wanted == state.open_valves:
                break
            state = self._settle(demand_m3_s, fixed_head_m, state.flow_m3_s, wanted)
        return state

    def _settle(self, demand: Floats, fixed_head: Floats, flow: Floats, open_valves: frozenset[int]) -> State:
        system = self._system(open_valves)
        for _ in range(ROUNDS):
            loss, slope = self._loss(flow)
            factors, head = system.heads(demand, fixed_head, flow, loss, slope)
            new = flow.copy()
            live = system.live
            fall = head[self.network.start[live]] - head[self.network.end[live]]
            new[live] = flow[live] + (fall - loss[live]) * slope[live]
            change = np.abs(new[live] - flow[live]).sum() / max(np.abs(new[live]).sum(), 1e-9)
            flow = new
            if change < ACCURACY:
                break
        flow = system.valve_flows(flow, demand)
        return State(head, flow, factors, slope, open_valves)

    def _loss(self, flow: Floats) -> tuple[Floats, Floats]:
        """Loss (m) of every link, and 1 / its derivative."""
        network = self.network
        size = np.abs(flow)
        power = network.resistance * size ** (network.exponent - 1)
        loss = flow * (power + network.minor * size)
        gradient = network.exponent * power + 2 * network.minor * size
        for pump in network.pumps:
            q = max(flow[pump.link], 1e-6)
            loss[pump.link] = -(pump.rise_m - pump.factor * q**pump.exponent)
            gradient[pump.link] = pump.exponent * pump.factor * q ** (pump.exponent - 1)
        gentle = gradient < MIN_GRADIENT * 10
        gradient = np.maximum(gradient, MIN_GRADIENT * 10)
        loss = np.where(gentle, flow * gradient, loss)
        return loss, 1 / gradient

    def _valves_open(self, state: State) -> frozenset[int]:
        """Valves that cannot keep their head because the water before them stands lower."""
        return frozenset(
            n for n, valve in enumerate(self.network.valves) if state.head_m[valve.start] < valve.head_m - 1e-3
        )

    def _system(self, open_valves: frozenset[int]) -> _System:
        if open_valves not in self._systems:
            self._systems[open_valves] = _System(self.network, self._live, open_valves)
        return self._systems[open_valves]

    # --- sensitivities

    def sensitivity(self, state: State, nodes: Ints, links: Ints) -> Floats:
        """(nodes then links, nodes): change of head (m) and of flow (m³/s) for 1 m³/s more drawn at each node."""
        system = self._system(state.open_valves)
        size = len(self.network.nodes)
        right = np.zeros((size, len(nodes) + len(links)), order="F")
        right[nodes, np.arange(len(nodes))] = 1.0
        direct = np.zeros((len(links), size))
        for number, link in enumerate(links):
            system.flow_functional(int(link), state.slope, right[:, len(nodes) + number], direct[number])
        answers = system.answers(state.factors, right)
        answers[len(nodes) :] += direct
        return answers


class _System:
    """The sparse system of heads for one set of open valves: its pattern is made once, its values each round."""

    def __init__(self, network: Network, live: Ints, open_valves: frozenset[int]) -> None:
        self.network = network
        self.acting = [valve for n, valve in enumerate(network.valves) if n not in open_valves]
        acting_links = {valve.link for valve in self.acting}
        self.live = np.array([link for link in live if link not in acting_links], dtype=np.int64)
        size = len(network.nodes)
        touched = np.zeros(size, dtype=bool)
        touched[network.start[self.live]] = touched[network.end[self.live]] = True
        self.fixed = np.concatenate([network.fixed, [valve.end for valve in self.acting]]).astype(np.int64)
        known = np.zeros(size, dtype=bool)
        known[self.fixed] = True
        known[~touched | self._unfed(size)] = True
        self.free = ~known
        # The balance of a node after a valve is counted at the node before it, if need be through several valves.
        into = np.arange(size)
        for _ in range(len(self.acting) + 1):
            for valve in self.acting:
                into[into == valve.end] = valve.start
        self.into = into
        a, b = network.start[self.live], network.end[self.live]
        rows = np.concatenate([into[a], into[a], into[b], into[b]])
        columns = np.concatenate([a, b, b, a])
        kept = self.free[rows]
        one = np.flatnonzero(known)
        self._kept = np.flatnonzero(kept)
        self._signs = np.repeat([1.0, -1.0, 1.0, -1.0], len(self.live))
        all_rows = np.concatenate([rows[self._kept], one])
        all_columns = np.concatenate([columns[self._kept], one])
        keys = all_columns.astype(np.int64) * size + all_rows
        order, self._slot = np.unique(keys, return_inverse=True)
        self._indices = (order % size).astype(np.int32)
        self._indptr = np.searchsorted(order // size, np.arange(size + 1)).astype(np.int32)
        self._ones = np.ones(len(one))
        self._size = size

    def _unfed(self, size: int) -> Floats:
        """(nodes,) which nodes no source reaches: their heads say nothing and are left out (0)."""
        network, live = self.network, self.live
        ends = (network.start[live], network.end[live])
        part = connected_components(coo_matrix((np.ones(len(live)), ends), shape=(size, size)), directed=False)[1]
        return np.asarray(~np.isin(part, part[self.fixed]))

    def heads(
        self, demand: Floats, fixed_head: Floats, flow: Floats, loss: Floats, slope: Floats
    ) -> tuple[Any, Floats]:
        network, live = self.network, self.live
        p = slope[live]
        values = np.concatenate([np.tile(p, 4)[self._kept] * self._signs[self._kept], self._ones])
        data = np.bincount(self._slot, weights=values, minlength=len(self._indices))
        matrix = csc_matrix((data, self._indices, self._indptr), shape=(self._size, self._size))
        carried = flow[live] - loss[live] * p
        right = -demand.copy()
        right -= np.bincount(network.start[live], weights=carried, minlength=self._size)
        right += np.bincount(network.end[live], weights=carried, minlength=self._size)
        right = np.bincount(self.into, weights=right, minlength=self._size)
        right[~self.free] = 0.0
        right[network.fixed] = fixed_head
        for valve in self.acting:
            right[valve.end] = valve.head_m
        factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.01)
        return factors, factors.solve(right)

    def answers(self, factors: Any, right: Floats) -> Floats:
        """(columns, nodes): d(right · head) / d(draw at node)."""
        solved = factors.solve(right, trans="T")
        gains = -np.where(self.free[:, None], solved, 0.0)
        return np.asarray(gains[self.into].T)

    def flow_functional(self, link: int, slope: Floats, right: Floats, direct: Floats) -> None:
        """Writes how a link's flow depends on heads (`right`) and on the draws themselves (`direct`)."""
        network = self.network
        for valve in self.acting:
            if valve.link == link:
                for other in self.live[(network.start[self.live] == valve.end) | (network.end[self.live] == valve.end)]:
                    sign = 1.0 if network.start[other] == valve.end else -1.0
                    right[network.start[other]] += sign * slope[other]
                    right[network.end[other]] -= sign * slope[other]
                direct[valve.end] += 1.0
                return
        right[network.start[link]] += slope[link]
        right[network.end[link]] -= slope[link]

    def valve_flows(self, flow: Floats, demand: Floats) -> Floats:
        """Fills in the flow through acting valves: what the node after each gives away."""
        network = self.network
        for _ in self.acting:
            for valve in self.acting:
                leaving = flow[network.start == valve.end].sum()
                arriving = flow[(network.end == valve.end) & (np.arange(len(flow)) != valve.link)].sum()
                flow[valve.link] = leaving - arriving + demand[valve.end]
        return flow
