"""Leaks: what detection earns on the contest's network beside published methods, its confidence, and its speed.

Scores are of the simulated years in ../shared/data/water_network (our pressures, not the contest's own; where they
are not there, only the seeded scenarios run). Ours: all years in order, no labels, `report_from` the scored year.
Peers: MNF, LILA and Dual, ported from their papers with LDIMBenchmark's defaults. Confidence: seeded leaks of our own,
simulated by EPANET with errors in roughness and demand, so it is not read off the contest's leaks. Growth: the
network's own copies one after the other, ten of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.lib import leak_peers
from bench.lib.leak_scenarios import Planned, channels_of, simulate, told_of
from bench.lib.table import BenchTable, Goal, Options, quantile
from city.settings import ROOT
from domains.water.leaks.book import Finding
from domains.water.leaks.detector import Detector
from domains.water.leaks.evidence import Snapshot, fit_one_more
from domains.water.leaks.plant import Hour
from domains.water.leaks.run import detect, detector_for
from domains.water.network.distance import PipeDistance
from domains.water.scada import Channels, Scada, read_scada
from domains.water.score import Score, Told, TrueLeak, score

DATA = ROOT.parent / "shared" / "data" / "water_network"
PUBLISHED = [
    ["contest's winner (Tongji), contest's files", 2019, 13, 3, 264_873, None],
    ["second (Under Pressure), contest's files", 2019, 15, 4, 260_562, None],
    ["best later (Liquor-HGNN), contest's files", 2019, 11, 51, 282_785, None],
]
SEEDS, SCENARIO_DAYS = 6, 75
BINS = (0.0, 0.8, 0.9, 0.98, 1.01)


def run(options: Options) -> BenchTable:
    table = BenchTable("Leaks", ["method or measure", "year", "found", "false crews", "EUR", "seconds"])
    data = DATA
    if not data.exists():
        raise FileNotFoundError(f"{DATA} is not here: the network and its simulated years are shared data")
    network = data / "L-TOWN.inp"
    years = (2018, 2019) if options.scale >= 1 else (2018,)
    scada = read_scada(data / "simulated")
    length = scada.time(len(scada.values))
    for year in years:
        truth = true_leaks(data / "simulated", year)
        part = _until(scada, datetime(year + 1, 1, 1) if options.scale >= 1 else datetime(2018, 3, 1))
        table.rows += _ours(network, part, truth, year, table)
        if options.scale >= 1:
            table.rows += _peers(network, _year(scada, year), truth, year)
    table.rows += PUBLISHED
    table.rows += _real_flows(network, data)
    table.rows += _growth(network, scada)
    _reliability(network, table, max(1, options.sized(SEEDS)))
    table.notes.append(f"{len(scada.channels.names)} channels until {length:%Y-%m-%d}; perfect play is in the notes")
    return table


# --- scores


def true_leaks(folder: Path, year: int) -> tuple[tuple[TrueLeak, ...], list[datetime]]:
    """The truth of a year: read here and by `gorodok water score` only."""
    import polars as pl

    flows = pl.read_parquet(folder / f"leak_truth_m3_h_{year}.parquet")
    rows = pl.read_csv(folder / f"leaks_{year}.csv", try_parse_dates=True).to_dicts()
    leaks = tuple(
        TrueLeak(row["pipe"], row["start"], row["end"], flows[row["pipe"]].to_numpy().astype(float)) for row in rows
    )
    return leaks, flows["timestamp"].to_list()


def _until(scada: Scada, end: datetime) -> Scada:
    return Scada(scada.begin, scada.channels, scada.values[: round((end - scada.begin).total_seconds() / 300)])


def _year(scada: Scada, year: int) -> Scada:
    first = round((datetime(year, 1, 1) - scada.begin).total_seconds() / 300)
    return Scada(datetime(year, 1, 1), scada.channels, scada.values[first:])


Truth = tuple[tuple[TrueLeak, ...], list[datetime]]


def _ours(network: Path, scada: Scada, truth: Truth, year: int, table: BenchTable) -> list[list[Any]]:
    detector = detector_for(network, scada)
    steps: list[float] = []
    began = time.perf_counter()
    restated: list[Finding] | None = None
    told_before = 0
    for when, row in scada.steps():
        if restated is None and when >= datetime(year, 1, 1):
            restated, told_before = detector.restate(when), len(detector.findings)
        started = time.perf_counter()
        detector.step(when, row)
        steps.append(time.perf_counter() - started)
    detector.finish()
    seconds = time.perf_counter() - began
    findings = [*(restated or []), *detector.findings[told_before:]]
    result = _scored(network, told_of(findings), truth)
    a_year = seconds / len(steps) * 365 * 288
    ordinary = sorted(steps)[:-1]  # the step that calibrates is told apart
    table.goals += [
        Goal(f"{year}: EUR", result.eur, 300_000 if year == 2019 else 0, "higher"),
        Goal(f"{year}: found", result.found, 16 if year == 2019 else 0, "higher"),
        Goal(f"{year}: false crews", result.false_crews, 4, "lower"),
        Goal(f"{year}: s a year of 5-minute SCADA", a_year, 180, "lower"),
        Goal(f"{year}: step ms, 99.9 of 100", quantile(steps, 0.999) * 1000, 200, "lower"),
        Goal(f"{year}: step ms, the longest but one (a localisation)", ordinary[-1] * 1000, 10_000, "lower"),
    ]
    table.notes.append(
        f"{year}: perfect play {result.perfect_eur:,.0f} EUR; told again {result.again}; calibration step "
        f"{max(steps):.1f} s; median step {quantile(steps, 0.5) * 1e6:.0f} µs"
    )
    return [["gorodok, no hand tuning", year, result.found, result.false_crews, round(result.eur), round(seconds, 1)]]


def _peers(network: Path, scada: Scada, truth: Truth, year: int) -> list[list[Any]]:
    rows = []
    methods = {
        "MNF (port)": lambda: leak_peers.mnf(scada),
        "LILA (port)": lambda: leak_peers.lila(scada, pump="PUMP_1" if "PUMP_1" in scada.channels.flow else None),
        "Dual (port)": lambda: leak_peers.dual(scada, network),
    }
    for name, method in methods.items():
        began = time.perf_counter()
        told = leak_peers.pipes_at(method(), network)
        seconds = time.perf_counter() - began
        result = _scored(network, told, truth)
        rows.append([name, year, result.found, result.false_crews, round(result.eur), round(seconds, 1)])
    return rows


def _scored(network: Path, told: Sequence[Told], truth: Truth) -> Score:
    return score(told, truth[0], truth[1], _distance(network).between)


_distances: dict[Path, PipeDistance] = {}


def _distance(network: Path) -> PipeDistance:
    if network not in _distances:
        import wntr

        from domains.water.network.distance import links_of

        _distances[network] = PipeDistance(links_of(wntr.network.WaterNetworkModel(str(network))))
    return _distances[network]


# --- real flows, growth


def _real_flows(network: Path, data: Path) -> list[list[Any]]:
    """The contest's own inlet flows of 2019, nothing else: starts told by the balance alone, no places.

    A jump or growth counts as right within three days after a true start of ltown_leakages_info.yaml.
    """
    import polars as pl

    frame = pl.read_csv(data / "ltown_2019_flows.csv", separator=";", infer_schema=False)
    names = [name for name in frame.columns if name != "Timestamp"]
    times = frame["Timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S")
    values = frame.select(pl.col(names).str.replace(",", ".").cast(pl.Float64)).to_numpy()
    began = time.perf_counter()
    scada = Scada(times[0], Channels(flow=tuple(names)), values)
    findings, detector = detect(network, scada)
    starts = [
        datetime.fromisoformat(line.split(",")[1].strip())
        for line in (data / "ltown_leakages_info.yaml").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    starts = [start for start in starts if start >= times[0]]
    told = [detector.time(leak.start) for leak in detector.book]
    right = sum(any(-1 <= (at - start).total_seconds() / 86_400 <= 3 for at in told) for start in starts)
    wrong = sum(not any(-1 <= (at - start).total_seconds() / 86_400 <= 3 for start in starts) for at in told)
    seconds = round(time.perf_counter() - began, 1)
    name = f"real flows only: starts seen of {len(starts)}, other starts beside, crews sent {len(findings)}"
    return [[name, 2019, right, wrong, None, seconds]]


def _growth(network: Path, scada: Scada) -> list[list[Any]]:
    """One solved hour with its sensitivities, and the fit of one more leak in every pipe, at 1 and 10 networks."""
    rows = []
    with TemporaryDirectory() as folder:
        for copies in (1, 10):
            path = tiled(network, Path(folder), copies)
            detector = detector_for(path, _until(scada, scada.time(1)))
            values = np.nan_to_num(scada.values[0])
            plant = detector.plant
            courses = plant.courses(values, 0.0)
            hour = Hour(0, values, np.zeros(len(plant.network.tanks)), courses)
            nothing = np.zeros(len(plant.network.nodes))
            moment = plant.moment(hour, nothing)
            began = time.perf_counter()
            for _ in range(5):
                moment = plant.moment(hour, nothing, moment.state)
            solve = (time.perf_counter() - began) / 5
            answer = (moment.answer[:, detector._a] + moment.answer[:, detector._b]) / 2
            shot = Snapshot(answer[:, 0] * 5.0, np.full(len(answer), 1e-4), answer, plant.sizes[2])
            began = time.perf_counter()
            for _ in range(5):
                fit_one_more(shot, [3, 5], [1.0, 1.0])
            fit = (time.perf_counter() - began) / 5
            pipes = len(detector.pipes)
            rows.append(
                [f"{pipes} pipes: {solve * 1e3:.1f} ms an hour solved, {fit * 1e3:.1f} ms a fit", "growth", None, None,
                 None, round(solve + fit, 4)]
            )  # fmt: skip
    return rows


def tiled(network: Path, folder: Path, copies: int) -> Path:
    """The network `copies` times in one file, joined by a pipe from each copy to the next; names of the first stay."""
    import wntr

    whole = wntr.network.WaterNetworkModel(str(network))
    path = folder / f"tiled-{copies}.inp"
    if copies == 1:
        return network
    junctions, pipes = list(whole.junctions()), list(whole.pipes())
    last = junctions[len(junctions) // 2][0]
    for copy in range(1, copies):
        for name, node in junctions:
            x, y = node.coordinates
            whole.add_junction(f"{name}-{copy}", 0.0, None, node.elevation, (x + 3000 * copy, y))
            for demand in node.demand_timeseries_list:
                whole.get_node(f"{name}-{copy}").add_demand(demand.base_value / copies, demand.pattern_name)
        for name, pipe in pipes:
            ends = [
                f"{end}-{copy}" if end in whole.junction_name_list else end
                for end in (pipe.start_node_name, pipe.end_node_name)
            ]
            whole.add_pipe(f"{name}-{copy}", *ends, pipe.length, pipe.diameter, pipe.roughness)
        whole.add_pipe(f"join-{copy}", last, f"{junctions[0][0]}-{copy}", 100.0, 0.5, 120)
        last = f"{junctions[len(junctions) // 2][0]}-{copy}"
    wntr.network.write_inpfile(whole, str(path), units="CMH")
    return path


# --- confidence


def scenarios(network: Path, seeds: int) -> list[tuple[list[Finding], Score, Detector]]:
    """Seeded years of the network with leaks of our own: findings and how they fared."""
    import wntr

    model = wntr.network.WaterNetworkModel(str(network))
    real = read_scada(DATA / "simulated").channels
    channels = channels_of(model, real.pressure, real.flow, real.demand)
    pipes = [name for name, pipe in model.pipes() if pipe.length > 5 and name not in real.flow]
    told = []
    for seed in range(seeds):
        random = np.random.default_rng(1000 + seed)
        leaks = []
        for number in range(6):
            start = int(random.integers(15, SCENARIO_DAYS - 10) * 24 + random.integers(24))
            peak = start if number % 2 else start + int(random.integers(5, 25)) * 24
            end = min(SCENARIO_DAYS * 24, start + int(random.integers(10, 50)) * 24)
            leaks.append(Planned(str(random.choice(pipes)), start, peak, end, float(random.uniform(3, 25))))
        made = simulate(network, SCENARIO_DAYS, leaks, channels, seed)
        findings, detector = detect(network, made.scada)
        told.append((findings, score(told_of(findings), made.leaks, made.times, _distance(network).between), detector))
    return told


def _reliability(network: Path, table: BenchTable, seeds: int) -> None:
    rows = []
    found = leaks = false = 0
    for findings, result, _ in scenarios(network, seeds):
        wrong = {(one.pipe, one.detected_at) for one in result.false_alarms}
        rows += [(one.confidence, (one.pipe, one.seen_at) not in wrong) for one in findings]
        found, leaks, false = found + result.found, leaks + len(result.leaks), false + result.false_crews
    for low, high in pairwise(BINS):
        inside = [(said, right) for said, right in rows if low <= said < high]
        if inside:
            said = float(np.mean([one for one, _ in inside]))
            right = float(np.mean([one for _, one in inside]))
            table.rows.append(
                [f"said {said:.2f}: right {right:.2f} of {len(inside)}", "seeded", None, None, None, None]
            )
    table.rows.append([f"seeded scenarios: {found} of {leaks} leaks", "seeded", found, false, None, None])
