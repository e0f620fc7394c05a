"""The detector on a seeded town that it never saw: leaks found and placed, faults are sensors, streaming = batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import wntr
from typer.testing import CliRunner

from apps.cli.main import app
from bench.lib.leak_scenarios import Planned, Scenario, broken, channels_of, course, simulate, told_of
from domains.water.leaks.run import detect, detector_for
from domains.water.network.arrays import read_network
from domains.water.network.distance import PipeDistance
from domains.water.scada import Channels, Scada, ScadaError, read_scada
from domains.water.score import Score, score
from tests.water.town import FLOW_LINKS, PRESSURES, write_town

DAYS = 30
BURST = Planned("e21", 16 * 24 + 5, 16 * 24 + 5, 22 * 24, 5.0)
GROWING = Planned("n33", 20 * 24, 27 * 24, DAYS * 24, 4.0)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def channels(town: Path) -> Channels:
    model = wntr.network.WaterNetworkModel(str(town))
    homes = [name for name in model.junction_name_list if model.get_node(name).base_demand > 0]
    return channels_of(model, PRESSURES, FLOW_LINKS, homes[::2])


@pytest.fixture(scope="module")
def quiet(town: Path, channels: Channels) -> Scenario:
    return simulate(town, DAYS, [], channels, seed=3)


@pytest.fixture(scope="module")
def leaking(town: Path, channels: Channels) -> Scenario:
    return simulate(town, DAYS, [BURST, GROWING], channels, seed=4)


def scored(town: Path, scenario: Scenario) -> Score:
    findings, detector = detect(town, scenario.scada)
    distance = PipeDistance(detector.network.links)
    return score(told_of(findings), scenario.leaks, scenario.times, distance.between)


def test_a_town_without_leaks_gets_no_crew(town: Path, quiet: Scenario) -> None:
    findings, detector = detect(town, quiet.scada)
    assert findings == []
    assert detector.sensor_faults() == []


def test_a_burst_and_a_growing_leak_are_found_placed_and_sized(town: Path, leaking: Scenario) -> None:
    findings, detector = detect(town, leaking.scada)
    distance = PipeDistance(detector.network.links)
    result = score(told_of(findings), leaking.leaks, leaking.times, distance.between)
    assert (result.found, result.false_crews) == (2, 0)
    burst = findings[0]
    assert abs(burst.leak_m3_h - BURST.flow_m3_h) < 0.7
    assert burst.leak_low_m3_h < burst.leak_m3_h < burst.leak_high_m3_h
    assert burst.cost_day == pytest.approx(burst.leak_m3_h * 24 * 0.80)
    assert abs((burst.started_at - leaking.leaks[0].start).total_seconds()) <= 2 * 3600
    assert all(one.distance_m <= 300 and 0 < one.weight < 1 for one in burst.alternatives)


def test_a_repair_frees_the_state(town: Path, leaking: Scenario) -> None:
    findings, detector = detect(town, leaking.scada)
    ended = [one for one in findings if one.ended_at is not None]
    assert [one.number for one in ended] == [1]
    assert ended[0].ended_at is not None
    assert abs((ended[0].ended_at - leaking.leaks[0].end).total_seconds()) <= 3 * 3600
    assert sum(leak.flow_m3_h for leak in detector.running) == pytest.approx(GROWING.flow_m3_h, abs=0.5)


def test_streaming_says_the_same_as_batch(town: Path, leaking: Scenario) -> None:
    batch, _ = detect(town, leaking.scada)
    detector = detector_for(town, leaking.scada)
    streamed = []
    for when, row in leaking.scada.steps():
        streamed += detector.step(when, row.copy())
    streamed += detector.finish()
    # What is told while streaming has no end yet; all else is the same to the last bit.
    assert [replace(one, ended_at=None) for one in batch] == streamed


def test_the_future_is_not_looked_at(town: Path, leaking: Scenario) -> None:
    whole, _ = detect(town, leaking.scada)
    cut = 20 * 288
    scada = leaking.scada
    part, _ = detect(town, Scada(scada.begin, scada.channels, scada.values[:cut]))
    end = scada.time(cut)
    assert [one.pipe for one in part] == [one.pipe for one in whole if one.seen_at <= end]


def test_report_from_restates_what_still_runs(town: Path, leaking: Scenario) -> None:
    when = leaking.scada.time(19 * 288)
    findings, _ = detect(town, leaking.scada, report_from=when)
    assert findings[0].seen_at == when
    assert findings[0].number == 1
    assert all(one.seen_at >= when for one in findings)
    late, _ = detect(town, leaking.scada, report_from=leaking.scada.time(29 * 288 + 200))
    assert [one.number for one in late] == [2]


@pytest.mark.parametrize("how", ["frozen", "silent", "drift"])
@pytest.mark.parametrize("channel", ["g22", "v1"])
def test_a_dead_sensor_is_told_as_a_sensor_and_sends_no_crew(
    town: Path, quiet: Scenario, how: str, channel: str
) -> None:
    findings, detector = detect(town, broken(quiet, channel, 17 * 24, 26 * 24, how).scada)
    assert findings == []
    kinds = {"frozen": "frozen", "silent": "silent", "drift": "astray"}
    assert (channel, kinds[how]) in [(fault.channel, fault.kind) for fault in detector.sensor_faults()]


def test_a_leak_is_found_beside_a_dead_sensor(town: Path, leaking: Scenario) -> None:
    result = scored(town, broken(leaking, "g40", 15 * 24, 28 * 24, "frozen"))
    assert (result.found, result.false_crews) == (2, 0)


def test_days_of_silence_and_swapped_wires_do_not_stop_it(town: Path, leaking: Scenario) -> None:
    values = leaking.scada.values.copy()
    values[18 * 288 : 20 * 288] = np.nan
    gap = replace(leaking, scada=Scada(leaking.scada.begin, leaking.scada.channels, values))
    assert scored(town, gap).found == 2
    swapped = leaking.scada.values.copy()
    swapped[15 * 288 :, [1, 6]] = swapped[15 * 288 :, [6, 1]]
    findings, detector = detect(town, Scada(leaking.scada.begin, leaking.scada.channels, swapped))
    assert {fault.channel for fault in detector.sensor_faults()} >= {PRESSURES[1], PRESSURES[6]}
    assert findings


def test_rows_that_are_missing_or_late_do_not_stop_it(town: Path, leaking: Scenario) -> None:
    detector = detector_for(town, leaking.scada)
    steps = list(leaking.scada.steps())
    kept = [step for n, step in enumerate(steps) if not 4_900 < n < 5_100]
    kept[3000:3012] = reversed(kept[3000:3012])
    detector.run(iter([*kept[:4000], *kept[3988:4000], *kept[4000:]]))
    assert any(leak.abrupt_at >= 0 for leak in detector.book)


@pytest.mark.parametrize("absent", ["demand", "level", "flow", "pressure"])
def test_a_missing_table_is_no_fault(town: Path, leaking: Scenario, absent: str) -> None:
    names, slices = leaking.scada.channels, leaking.scada.channels.slices
    columns = [n for kind in slices if kind != absent for n in range(slices[kind].start, slices[kind].stop)]
    scada = Scada(leaking.scada.begin, replace(names, **{absent: ()}), leaking.scada.values[:, columns])
    findings, _ = detect(town, scada)
    assert all(0 < one.confidence <= 1 for one in findings)


def test_a_channel_that_names_nothing_is_left_out(town: Path, leaking: Scenario) -> None:
    scada = leaking.scada
    named = replace(scada.channels, pressure=("nowhere", *scada.channels.pressure[1:]))
    findings, detector = detect(town, Scada(scada.begin, named, scada.values))
    assert len(detector.plant.pressure_nodes) == len(PRESSURES) - 1
    assert findings


@pytest.mark.parametrize("pipe", ["e00", "n12", "pv2", "ph2"])
def test_a_leak_never_lowers_night_flow(town: Path, channels: Channels, pipe: str) -> None:
    without = simulate(town, 2, [], channels, seed=6, errors=(0.1, 0.1))
    leak = Planned(pipe, 0, 0, 48, 2.0)
    with_leak = simulate(town, 2, [leak], channels, seed=6, errors=(0.1, 0.1))
    night = slice(24 * 12 + 2 * 12, 24 * 12 + 5 * 12)
    inflow = channels.slices["flow"]
    told = [scenario.scada.values[night, inflow][:, :2].sum(axis=1).mean() for scenario in (without, with_leak)]
    assert told[1] > told[0] - 0.05
    detector = detector_for(town, without.scada)
    network = read_network(town, channels.flow, channels.level)
    assert detector.pipe_names == [network.links[row].name for row in network.pipes]


def test_a_growing_leak_grows_to_its_peak_and_ends() -> None:
    flow = course(GROWING, DAYS * 24)
    assert flow[GROWING.start - 1] == 0
    assert (np.diff(flow[GROWING.start : GROWING.peak]) > 0).all()
    assert flow[GROWING.peak] == pytest.approx(GROWING.flow_m3_h)


# --- files and the command


def write_tables(folder: Path, scenario: Scenario, cut: int) -> None:
    """The layout of shared/data: two years of it."""
    slices, names = scenario.scada.channels.slices, scenario.scada.channels
    prefixes = {"pressure": "pressures_m", "flow": "flows_m3_h", "level": "levels_m", "demand": "demands_l_h"}
    for kind, prefix in prefixes.items():
        values = scenario.scada.values[:, slices[kind]]
        columns = {name: values[:, n] for n, name in enumerate(getattr(names, kind))}
        frame = pl.DataFrame({"timestamp": scenario.times, **columns})
        frame[:cut].write_parquet(folder / f"{prefix}_2024.parquet")
        frame[cut:].write_parquet(folder / f"{prefix}_2025.parquet")
    pl.DataFrame({"timestamp": scenario.times, "e21": 1.0}).write_parquet(folder / "leak_truth_m3_h_2024.parquet")


def test_the_command_reads_all_years_and_is_deterministic(town: Path, leaking: Scenario, tmp_path: Path) -> None:
    write_tables(tmp_path, leaking, 10 * 288)
    texts = []
    for name in ("one.csv", "two.csv"):
        options = ["--network", str(town), "--scada", str(tmp_path), "--out", str(tmp_path / name)]
        run = CliRunner().invoke(app, ["water", "detect", *options])
        assert run.exit_code == 0, run.output
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    lines = texts[0].splitlines()
    assert lines[0] == "pipe,detected_at,confidence,leak_m3_h"
    assert len(lines) == 3


def test_tables_are_joined_on_an_even_grid(tmp_path: Path) -> None:
    frame = pl.DataFrame({"timestamp": ["2024-01-01T00:00:00", "2024-01-01T00:15:00"], "n1": [1.0, 4.0]})
    frame.with_columns(pl.col("timestamp").str.to_datetime()).write_parquet(tmp_path / "pressures_m_2024.parquet")
    scada = read_scada(tmp_path)
    assert scada.channels.names == ("n1",)
    np.testing.assert_array_equal(scada.values[:, 0], [1.0, np.nan, np.nan, 4.0])
    with pytest.raises(ScadaError, match="looked for"):
        read_scada(tmp_path / "empty")


def test_bad_input_is_named(town: Path, tmp_path: Path) -> None:
    bad = CliRunner().invoke(app, ["water", "detect", "--network", str(town), "--scada", str(tmp_path)])
    assert bad.exit_code == 2
    wrong = ["--network", str(town), "--scada", str(tmp_path), "--report-from", "soon"]
    assert CliRunner().invoke(app, ["water", "detect", *wrong]).exit_code == 2
