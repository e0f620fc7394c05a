"""Published automatic methods of leak detection, ported for the same files.

PyPI's `ldimbenchmark` holds MNF, LILA and Dual but installs on Python 3.10 with numpy below 2 only; these are ports,
written after its source was read (the CUSUM from its description), with the parameters that it publishes as defaults.
None of them places a leak on a pipe: as in LDIMBenchmark the place is the sensor that answers most, here the pipe at
that sensor.

- MNF: D. G. Eliades and M. M. Polycarpou (2012); LeakDB (KIOS): a day whose least flow exceeds the least of the ten
  days before by a tenth is a leak's first day.
- LILA: I. Daniel, J. Pesantez, S. Letzgus et al., "A Sequential Pressure-Based Algorithm for Data-Driven Leakage
  Identification and Model-Based Localization", J. Water Resour. Plann. Manage. 148(6), 2022: each pressure predicted
  from each other one; CUSUM of the reconstruction error of the sensor most affected. Only its data-driven first half
  is automatic.
- Dual: D. Steffelbauer et al., "Pressure-Leak Duality for Leak Detection and Localization in Water Distribution
  Systems", J. Water Resour. Plann. Manage. 148(3), 2022: virtual reservoirs hold each sensor at its measured head;
  a leak shows as flow into the virtual reservoirs; CUSUM of the largest.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from domains.water.scada import Scada
from domains.water.score import Told

Floats = NDArray[np.float64]
DAY = 288


def mnf(scada: Scada, window: int = 10, gamma: float = 0.1) -> list[Told]:
    """Each flow meter by itself; days run from noon to noon."""
    told = []
    for name, column in zip(scada.channels.flow, scada.values[:, scada.channels.slices["flow"]].T, strict=True):
        days = column[DAY // 2 :]
        days = days[: len(days) // DAY * DAY].reshape(-1, DAY)
        least = np.nan_to_num(days, nan=np.inf).min(axis=1)
        before = False
        for day in range(window + 1, len(least)):
            floor = least[day - window : day].min()
            leaking = bool(least[day] - floor > gamma * floor)
            if leaking and not before:
                told.append(Told(name, scada.time(DAY // 2 + day * DAY)))
            before = leaking
    return told


def lila(scada: Scada, train_days: int = 14, delta: float = 4.0, threshold: float = 3.0, est_days: float = 3.0,
         pump: str | None = None) -> list[Told]:  # fmt: skip
    """One detection a sensor at most, as the method's CUSUM gives; told by the sensor's node name."""
    names = scada.channels.pressure
    pressure = _filled(scada.values[:, scada.channels.slices["pressure"]])
    flows = scada.values[:, scada.channels.slices["flow"]]
    flow = np.nan_to_num(flows[:, scada.channels.flow.index(pump) if pump else -1])
    train = slice(0, train_days * DAY)
    error = np.zeros((len(names), len(names), len(pressure)), dtype=np.float32)
    for one in range(len(names)):
        design = np.stack([np.ones(len(pressure)), pressure[:, one], flow], axis=1)
        factors = np.linalg.lstsq(design[train], pressure[train], rcond=None)[0]
        error[one] = (design @ factors - pressure).T
        error[one, one] = 0
    affected = (error > 0).sum(axis=0).argmax(axis=0)
    size = np.sqrt(np.stack([(error[:, n] ** 2).sum(axis=0) for n in range(len(names))]))
    series = np.zeros_like(size)
    series[affected, np.arange(len(pressure))] = size[affected, np.arange(len(pressure))]
    return _cusum(scada, names, series, delta, threshold, est_days)


def dual(scada: Scada, network: Path, delta: float = 0.3, threshold: float = 0.2, est_days: float = 20.0,
         stride: int = 12) -> list[Told]:  # fmt: skip
    """`stride`: every so many steps are simulated (hourly; the method's own default is each step)."""
    import wntr

    model = wntr.network.WaterNetworkModel(str(network))
    names = [name for name in scada.channels.pressure if name in model.node_name_list]
    columns = [scada.channels.pressure.index(name) for name in names]
    pressure = _filled(scada.values[:, scada.channels.slices["pressure"]])[::stride, columns]
    for name, series in zip(names, pressure.T, strict=True):
        node = model.get_node(name)
        model.add_pattern(f"head-{name}", list(series + node.elevation))
        model.add_reservoir(f"held-{name}", base_head=1.0, head_pattern=f"head-{name}", coordinates=node.coordinates)
        model.add_junction(f"joint-{name}", elevation=node.elevation, coordinates=node.coordinates)
        model.add_pipe(f"hold-{name}", f"joint-{name}", f"held-{name}", diameter=0.1, length=1, roughness=127)
        model.add_valve(f"throttle-{name}", f"joint-{name}", name, diameter=0.1, valve_type="TCV", initial_setting=1.0)
    per_hour = int(stride * 300 / model.options.time.pattern_timestep) or 1
    for name in model.pattern_name_list:
        if not name.startswith("head-") and per_hour > 1:
            pattern = model.get_pattern(name)
            pattern.multipliers = np.asarray(pattern.multipliers)[::per_hour]
    seconds = stride * 300
    time = model.options.time
    time.duration = (len(pressure) - 1) * seconds
    time.hydraulic_timestep = time.report_timestep = time.pattern_timestep = seconds
    with TemporaryDirectory() as folder:
        results = wntr.sim.EpanetSimulator(model).run_sim(file_prefix=str(Path(folder) / "dual"))
    flow = np.abs(results.link["flowrate"][[f"hold-{name}" for name in names]].to_numpy(dtype=float)).T * 3600
    largest = flow.argmax(axis=0)
    series = np.zeros_like(flow)
    series[largest, np.arange(flow.shape[1])] = flow[largest, np.arange(flow.shape[1])]
    return _cusum(scada, tuple(names), series, delta, threshold, est_days, stride)


def _cusum(
    scada: Scada, names: tuple[str, ...], series: Floats, delta: float, threshold: float, est_days: float,
    stride: int = 1,
) -> list[Told]:  # fmt: skip
    """First time that each trajectory's upward CUSUM passes `threshold` spreads; mean and spread from its start."""
    told = []
    for name, values in zip(names, series, strict=True):
        some = np.flatnonzero(values)
        if not len(some):
            continue
        first = int(some[0])
        length = int(est_days * DAY / stride)
        base = values[first : first + length]
        mean, spread = float(base.mean()), float(base.std())
        if spread == 0:
            continue
        drift = np.cumsum(values[first:] - mean - delta / 2 * spread)
        height = drift - np.minimum.accumulate(np.minimum(drift, 0))
        over = np.flatnonzero(height > threshold * spread)
        over = over[over >= length]
        if len(over):
            told.append(Told(name, scada.begin + timedelta(minutes=5 * stride * int(first + over[0]))))
    return told


def pipes_at(told: list[Told], network: Path) -> list[Told]:
    """Detections told by a node become its first pipe; those told by a link stay."""
    import wntr

    model = wntr.network.WaterNetworkModel(str(network))
    placed = []
    for one in told:
        pipe = one.pipe
        if pipe not in model.link_name_list:
            pipe = sorted(model.get_links_for_node(pipe))[0]
        placed.append(Told(pipe, one.detected_at))
    return placed


def _filled(table: Floats) -> Floats:
    """Gaps take the last value."""
    rows = np.where(np.isfinite(table), np.arange(len(table))[:, None], 0)
    return np.nan_to_num(table[np.maximum.accumulate(rows, axis=0), np.arange(table.shape[1])])
