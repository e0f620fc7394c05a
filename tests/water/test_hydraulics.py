"""The solver against EPANET itself, and its sensitivities against differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wntr
from hypothesis import given
from hypothesis import strategies as st

from domains.water.network.arrays import Network, NetworkError, read_network
from domains.water.network.hydraulics import Solver
from tests.water.town import FLOW_LINKS, TANKS, write_town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town"))


def test_heads_and_flows_are_epanets(town: Path, tmp_path: Path) -> None:
    model = wntr.network.WaterNetworkModel(str(town))
    model.options.time.duration = 6 * 3600
    results = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(tmp_path / "epanet"))
    network = read_network(town, FLOW_LINKS, TANKS)
    solver = Solver(network)
    for second in (0, 3600, 4 * 3600):
        heads, flows = results.node["head"].loc[second], results.link["flowrate"].loc[second]
        demand = results.node["demand"].loc[second][list(network.nodes)].to_numpy().copy()
        demand[network.fixed] = 0.0
        for link in network.cut:
            demand[network.start[link]] += flows[network.links[link].name]
            demand[network.end[link]] -= flows[network.links[link].name]
        fixed = heads[[network.nodes[row] for row in network.fixed]].to_numpy()
        state = solver.solve(demand, fixed)
        np.testing.assert_allclose(state.head_m, heads[list(network.nodes)].to_numpy(), atol=0.02)
        live = ~network.closed
        np.testing.assert_allclose(
            state.flow_m3_s[live], flows[[link.name for link in network.links]].to_numpy()[live], atol=2e-4
        )


@pytest.fixture(scope="module")
def solved(town: Path) -> tuple[Network, Solver, np.ndarray]:
    network = read_network(town, FLOW_LINKS, TANKS)
    return network, Solver(network), network.base_m3_s.sum(axis=0)


@given(st.integers(0, 30))
def test_sensitivities_are_small_differences(solved: tuple[Network, Solver, np.ndarray], place: int) -> None:
    network, solver, demand = solved
    nodes = np.array([3, 11, 20])
    links = np.array([network.link("in1"), network.link("prv")])
    state = solver.solve(demand, network.fixed_head_m)
    for _ in range(4):
        state = solver.solve(demand, network.fixed_head_m, state)
    answer = solver.sensitivity(state, nodes, links)
    node = place % len(network.nodes)
    more = demand.copy()
    more[node] += 1e-5
    moved = solver.solve(more, network.fixed_head_m, state)
    for _ in range(4):
        moved = solver.solve(more, network.fixed_head_m, moved)
    told = np.concatenate([moved.head_m[nodes] - state.head_m[nodes], moved.flow_m3_s[links] - state.flow_m3_s[links]])
    np.testing.assert_allclose(answer[:, node], told / 1e-5, rtol=0.05, atol=0.02)


@given(st.integers(0, 30), st.floats(0.0, 0.005))
def test_more_drawn_never_raises_a_head(solved: tuple[Network, Solver, np.ndarray], place: int, flow: float) -> None:
    network, solver, demand = solved
    more = demand.copy()
    more[place % len(network.nodes)] += flow
    before = solver.solve(demand, network.fixed_head_m).head_m
    after = solver.solve(more, network.fixed_head_m).head_m
    assert (after <= before + 0.01).all()


def test_units_are_si_whatever_the_file_has(tmp_path: Path) -> None:
    texts = {
        "CMH": ("3.6", "300", "1000"),
        "LPS": ("1.0", "300", "1000"),
    }
    heads = []
    for unit, (demand, diameter, length) in texts.items():
        path = tmp_path / f"{unit}.inp"
        path.write_text(
            f"[JUNCTIONS]\n n1 0 {demand}\n[RESERVOIRS]\n r 50\n[PIPES]\n p r n1 {length} {diameter} 100\n"
            f"[OPTIONS]\n Units {unit}\n Headloss H-W\n[END]\n"
        )
        network = read_network(path)
        assert network.base_m3_s.sum() == pytest.approx(0.001)
        heads.append(Solver(network).solve(network.base_m3_s.sum(axis=0), network.fixed_head_m).head_m)
    np.testing.assert_allclose(heads[0], heads[1])


def test_one_pipe_loses_what_hazen_and_williams_say(tmp_path: Path) -> None:
    path = tmp_path / "one.inp"
    path.write_text(
        "[JUNCTIONS]\n n1 0 36\n[RESERVOIRS]\n r 50\n[PIPES]\n p r n1 1000 150 130\n"
        "[OPTIONS]\n Units CMH\n Headloss H-W\n[END]\n"
    )
    network = read_network(path)
    head = Solver(network).solve(network.base_m3_s.sum(axis=0), network.fixed_head_m).head_m[network.node("n1")]
    # h = 10.667 L Q^1.852 / (C^1.852 d^4.871) with Q = 0.01 m³/s: 2.63 m.
    assert 50 - head == pytest.approx(10.667 * 1000 * 0.01**1.852 / (130**1.852 * 0.15**4.871), rel=1e-3)
    assert 50 - head == pytest.approx(2.63, abs=0.02)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.inp"
    path.write_text("[PIPES]\n p a b 1 1 1\n")
    with pytest.raises(NetworkError, match=r"bad\.inp"):
        read_network(path)
