"""Calibration on the first days: roughness and demand of the real network differ from the file's.

Maximum a posteriori: every pipe's resistance and every node's demand may differ from the file by a factor, about
which nothing is known but its spread; the hours measured pull them to where pressures and flows agree. The spread is
the one under which the measured hours are likeliest (the evidence), and each sensor's own spread is read from what
is left. Gauss-Newton with the solver's sensitivities; a thousand unknowns with far fewer measured places is no
trouble: what is not seen stays as the file says, and all that counts is what sensors see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from domains.water.leaks.gaps import mean, median
from domains.water.leaks.plant import Hour, Plant
from domains.water.network.arrays import Floats

ROUNDS = 2
SPREADS = ((0.05, 0.05), (0.1, 0.1), (0.2, 0.1), (0.1, 0.2), (0.2, 0.2), (0.4, 0.2))
"""Spreads that are tried: of ln resistance, of ln demand."""
OFFSET_M = 0.1
"""How far a pressure sensor's zero may be off (its height in the file, its own bias)."""
LEAST_PRESSURE_M, LEAST_FLOW_M3_H = 0.002, 0.05
"""No sensor is believed better than this."""
DOUBT = 0.2
MOST_HOURS = 96
MOST_UNKNOWN = 6000


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the first days taught: spread of each observation in an hour and of its mean over a day; hours used.

    tail_spread: as hour_spread, or a hundredth of the hours if that is wider (a pump that starts within an hour).
    """

    hour_spread: Floats
    tail_spread: Floats
    day_spread: Floats
    hours_used: int
    spreads: tuple[float, float]
    rms_before_m: float
    rms_after_m: float


def calibrate(plant: Plant, hours: list[Hour]) -> Calibration:
    """Fits the plant in place to leak-light hours, oldest first."""
    _demand_levels(plant, hours)
    picked = hours[:: max(1, len(hours) // MOST_HOURS)]
    network = plant.network
    pressures, flows, _ = plant.sizes
    pipes = network.pipes[network.resistance[network.pipes] > 0]
    log_resistance = np.zeros(len(network.links))
    base_resistance = network.resistance
    spread = np.concatenate([np.full(pressures, 0.02), np.full(flows, 0.3)])
    chosen, before, after = SPREADS[1], 0.0, 0.0
    theta = np.zeros(len(pipes) + len(plant.factor) + pressures)
    start_factor = plant.factor.copy()
    for number in range(ROUNDS + 1):
        rows, left = _linearised(plant, picked, pipes)
        if not number:
            missed = 1.4826 * median(np.abs(left))
            missed += np.array([LEAST_PRESSURE_M] * pressures + [LEAST_FLOW_M3_H] * flows)
            before = _rms(left[:, :pressures])
        if number:
            spread = np.maximum(
                1.4826 * median(np.abs(left)), [LEAST_PRESSURE_M] * pressures + [LEAST_FLOW_M3_H] * flows
            )
            after = _rms(left[:, :pressures])
        if number == ROUNDS or not len(theta) or not (pressures + flows):
            break
        good = np.isfinite(left).ravel()
        weighted = (rows / spread[None, :, None].astype(np.float32)).reshape(-1, rows.shape[2])[good]
        target = (left / spread).ravel()[good] + weighted @ theta
        chosen, theta = _best(weighted, target, len(pipes), len(plant.factor), pressures, chosen if number else None)
        log_resistance[pipes] = theta[: len(pipes)]
        _adopt(plant, base_resistance, log_resistance)
        plant.factor = start_factor * np.exp(theta[len(pipes) : len(pipes) + len(plant.factor)])
        plant.offset = theta[len(pipes) + len(plant.factor) :].copy()
    _demand_levels(plant, hours)
    hour_spread, tail_spread, day_spread = _spreads(plant, hours)
    # Two weeks do not show how the model ages; a share of what it was wrong by before is kept as doubt.
    day_spread[: pressures + flows] = np.hypot(day_spread[: pressures + flows], DOUBT * missed)
    return Calibration(hour_spread, tail_spread, day_spread, len(hours), chosen, before, after)


def _rms(table: Floats) -> float:
    told = table[np.isfinite(table)]
    return float(np.sqrt((told**2).mean())) if len(told) else 0.0


def quiet_hours(plant: Plant, hours: list[Hour]) -> int:
    """How many of the hours come before a leak begins to grow in one of the zones: all, or the first five days at
    least. The zone's demand is fitted to the first days; then the balance must stay about zero."""
    least = 5 * 24
    if len(hours) <= least + 48:
        return len(hours)
    level = plant.level.copy()
    _demand_levels(plant, hours[:least])
    table = np.array([plant.balance(hour, plant.draws(hour)) for hour in hours])
    plant.level = level
    quiet = len(hours)
    for zone in plant.zones:
        if not zone.balanced:
            continue
        column = table[:, zone.number]
        days = np.array([float(mean(column[n : n + 24, None])[0]) for n in range(0, len(column) - 23, 24)])
        early = days[:5][np.isfinite(days[:5])]
        if not len(early):
            continue
        noise = column[:least][np.isfinite(column[:least])]
        spread = max(float(early.std()), 0.02 * float(noise.std()), 0.03) * 4
        above = days - early.mean() > spread
        first = next((n for n in range(5, len(days)) if above[n:].all() and len(days) - n >= 2), None)
        if first is not None:
            quiet = min(quiet, max(least, (first - 1) * 24))
    return quiet


def _adopt(plant: Plant, base: Floats, log_change: Floats) -> None:
    plant.with_resistance(
        np.log(base / np.where(base > 0, plant.network.resistance, 1.0), where=base > 0, out=np.zeros(len(base)))
        + log_change
    )


def _demand_levels(plant: Plant, hours: list[Hour]) -> None:
    """Level of each kind in each balanced zone: non-negative least squares of the zone's inflow."""
    from scipy.optimize import nnls

    kinds = len(plant.network.kinds)
    if not kinds or not hours:
        return
    courses = np.array([hour.courses for hour in hours])
    inflows = np.array([plant.inflow(hour) for hour in hours])
    rate = plant.entry_base * plant.factor
    known = np.zeros(len(plant.network.nodes), dtype=bool)
    if plant.meters is not None:
        known[plant.meters.nodes[plant.whole]] = True
        read = np.array([hour.values[plant.channels.slices["demand"]] for hour in hours])[:, plant.whole] / 1000.0
        zones = plant.zone_of[plant.meters.nodes[plant.whole]]
    for zone in plant.zones:
        if not zone.balanced:
            continue
        inside = (plant.zone_of[plant.entry_node] == zone.number) & ~known[plant.entry_node]
        base = np.bincount(plant.entry_kind[inside], weights=rate[inside], minlength=kinds)
        wanted = inflows[:, zone.number].copy()
        if plant.meters is not None:
            wanted -= np.nansum(read[:, zones == zone.number], axis=1)
        design = courses * base
        good = np.isfinite(wanted) & np.isfinite(design).all(axis=1)
        if good.sum() < 24 or not base.any():
            continue
        used = np.flatnonzero(base > 0)
        # A weak pull towards the file's own levels keeps kinds apart that run alike.
        pull = 1e-3 * np.sqrt((design[good][:, used] ** 2).sum(axis=0))
        found, _ = nnls(np.concatenate([design[good][:, used], np.diag(pull)]), np.concatenate([wanted[good], pull]))
        plant.level[zone.number, used] = found


def _linearised(plant: Plant, hours: list[Hour], pipes: Floats) -> tuple[Floats, Floats]:
    """Derivatives (hours, observations, unknowns) and residuals (hours, observations), balances left out."""
    network = plant.network
    pressures, flows, _ = plant.sizes
    seen = pressures + flows
    rows = np.zeros((len(hours), seen, len(pipes) + len(plant.factor) + pressures), dtype=np.float32)
    left = np.zeros((len(hours), seen))
    state = None
    nothing = np.zeros(len(network.nodes))
    column = {int(pipe): n for n, pipe in enumerate(pipes)}
    for number, hour in enumerate(hours):
        moment = plant.moment(hour, nothing, state)
        state = moment.state
        answer = moment.answer[:seen].astype(np.float64)
        _, slope = plant.solver._loss(state.flow_m3_s)
        friction = network.resistance * np.abs(state.flow_m3_s) ** (network.exponent - 1) * state.flow_m3_s
        lost = -(friction * slope)[pipes] * 3600
        part = (answer[:, network.start[pipes]] - answer[:, network.end[pipes]]) * lost
        for row, link in enumerate(plant.flow_links):
            if int(link) in column:
                part[pressures + row, column[int(link)]] += lost[column[int(link)]]
        rows[number, :, : len(pipes)] = part
        rate = plant.entry_base * plant.factor * hour.courses[plant.entry_kind]
        rate *= plant.level[plant.zone_of[plant.entry_node], plant.entry_kind]
        if plant.meters is not None:
            measured = np.zeros(len(network.nodes), dtype=bool)
            measured[plant.meters.nodes[plant.whole]] = True
            rate = np.where(measured[plant.entry_node], 0.0, rate)
        rows[number, :, len(pipes) : len(pipes) + len(plant.factor)] = answer[:, plant.entry_node] * rate
        rows[number, :pressures, len(pipes) + len(plant.factor) :] = np.eye(pressures)
        left[number] = moment.residual[:seen]
    return rows, left


def _best(
    rows: Floats, target: Floats, pipes: int, entries: int, offsets: int, known: tuple[float, float] | None
) -> tuple[tuple[float, float], Floats]:
    """The spreads under which the hours are likeliest, and the unknowns then."""
    small = rows.shape[1] <= len(rows)
    product = (rows.T @ rows).astype(np.float64) if small else None
    rows = rows if small else rows.astype(np.float64)
    pulled = rows.T @ target
    best: tuple[float, tuple[float, float], Floats] | None = None
    for spreads in [known] if known else SPREADS:
        prior = np.concatenate(
            [np.full(pipes, spreads[0] ** 2), np.full(entries, spreads[1] ** 2), np.full(offsets, OFFSET_M**2)]
        )
        if product is not None:
            factor = cho_factor(product + np.diag(1 / prior), lower=True)
            theta = cho_solve(factor, pulled)
            logdet = 2 * np.log(np.diag(factor[0])).sum() + np.log(prior).sum()
        else:
            factor = cho_factor((rows * prior) @ rows.T + np.eye(len(rows)), lower=True)
            theta = prior * (rows.T @ cho_solve(factor, target))
            logdet = 2 * np.log(np.diag(factor[0])).sum()
        missed = target - rows @ theta
        evidence = -0.5 * float(missed @ missed + (theta**2 / prior).sum() + logdet)
        if best is None or evidence > best[0]:
            best = (evidence, spreads, theta)
    assert best is not None
    return best[1], best[2]


def _spreads(plant: Plant, hours: list[Hour]) -> tuple[Floats, Floats, Floats]:
    """Robust spread of the residuals of an hour, and of their means over a day (what does not average out)."""
    pressures, flows, zones = plant.sizes
    nothing = np.zeros(len(plant.network.nodes))
    left, state = [], None
    for hour in hours:
        moment = plant.moment(hour, nothing, state)
        state = moment.state
        left.append(moment.residual)
    table = np.array(left)
    least = np.array([LEAST_PRESSURE_M] * pressures + [LEAST_FLOW_M3_H] * flows + [LEAST_FLOW_M3_H] * zones)
    off = np.abs(table - median(table))
    hour_spread = np.maximum(1.4826 * median(off), least)
    some = np.isfinite(table).any(axis=0)
    tail_spread = hour_spread.copy()
    tail_spread[some] = np.maximum(hour_spread[some], np.nanquantile(off[:, some], 0.99, axis=0) / 2.58)
    days = np.array([mean(table[start : start + 24]) for start in range(0, len(table) - 23, 24)])
    day_spread = np.maximum(1.4826 * median(np.abs(days.reshape(-1, len(least)))), least / 2)
    told = (hour_spread, tail_spread, day_spread)
    return tuple(np.where(np.isfinite(one), one, np.inf) for one in told)  # type: ignore[return-value]
