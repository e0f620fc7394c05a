"""What residuals say of places: mean residual over hours, the answers of all pipes, and the fit of one more leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domains.water.network.arrays import Floats, Ints

MODEL_ERROR = 0.05
"""Share of a leak's pressure pattern that a calibrated model gets wrong; it bounds how sharp a large leak can point."""
LEAST_VARIANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Means over some hours. residual, variance: (observations,), inf variance where nothing was told.
    answer: (observations, pipes), change for 1 m³/h leaking in each pipe. zones: how many of the last rows are
    balances, which no model error touches."""

    residual: Floats
    variance: Floats
    answer: NDArray[np.float32]
    zones: int

    @property
    def good(self) -> NDArray[np.bool_]:
        return np.isfinite(self.residual) & np.isfinite(self.variance)


@dataclass(frozen=True, slots=True)
class Fit:
    """One more leak tried in every pipe. flow: (pipes,) m³/h, cost: (pipes,) minus twice the log likelihood,
    gain: (pipes,) by how much the cost falls against no leak more. others: change, m³/h, of the leaks along.
    chi2: misfit of the best pipe, a degree of freedom."""

    flow: Floats
    cost: Floats
    gain: Floats
    others: Floats
    base_cost: float
    chi2: float

    @property
    def best(self) -> int:
        return int(np.argmin(self.cost))


def fit_one_more(shot: Snapshot, along: Sequence[int], slack: Sequence[float], sign: float = 1.0) -> Fit:
    """Fits the flow of one more leak in every pipe, with the flows of the leaks `along` (pipes) moving beside it.

    sign: +1 for leaks that come, −1 for flow that goes. slack: prior spread (m³/h) of each change of `along`.
    """
    good = shot.good
    answer = shot.answer[good].astype(np.float64)
    residual, variance = shot.residual[good], shot.variance[good]
    modelled = np.ones(len(shot.residual), dtype=bool)
    modelled[len(modelled) - shot.zones :] = False
    modelled = modelled[good]
    beside = answer[:, list(along)]
    for last in (False, False, True):
        weight = 1 / np.sqrt(variance)
        columns = beside * weight[:, None]
        target = residual * weight
        if len(along):
            columns = np.concatenate([columns, np.diag(1 / np.asarray(slack))])
            target = np.concatenate([target, np.zeros(len(along))])
            padded = np.concatenate([answer * weight[:, None], np.zeros((len(along), answer.shape[1]))])
            q, r = np.linalg.qr(columns)
            left = target - q @ (q.T @ target)
            bare = padded - q @ (q.T @ padded)
            others = np.linalg.lstsq(r, q.T @ target, rcond=None)[0]
        else:
            left, bare, others = target, answer * weight[:, None], np.zeros(0)
        size = (bare**2).sum(axis=0)
        flow = np.where(size > 1e-9, (bare * left[:, None]).sum(axis=0) / np.maximum(size, 1e-9), 0.0)
        flow = np.where(flow * sign > 0, flow, 0.0)
        if last:
            break
        # The model gets a share of every pattern wrong: the more flow is explained by patterns, the wider the band.
        shares = ((beside * others) ** 2).sum(axis=1)
        nearest = int(np.argmax(flow * (bare * left[:, None]).sum(axis=0)))
        shares += (answer[:, nearest] * flow[nearest]) ** 2
        variance = shot.variance[good] + MODEL_ERROR**2 * modelled * shares
    rows = len(residual)
    missed = left[:, None] - bare * flow
    own = (answer * flow) ** 2 - ((answer[:, nearest] * flow[nearest]) ** 2)[:, None]
    wide = np.maximum(variance[:, None] + MODEL_ERROR**2 * modelled[:, None] * own, 0.5 * variance[:, None])
    ratio = wide / variance[:, None]
    cost = (missed[:rows] ** 2 / ratio).sum(axis=0) + np.log(ratio).sum(axis=0) + (missed[rows:] ** 2).sum(axis=0)
    base = float(left @ left)
    best = int(np.argmin(cost))
    freedom = max(1, rows - len(along) - 2)
    chi2 = float((missed[:rows, best] ** 2 / ratio[:, best]).sum() / freedom)
    return Fit(flow, cost, base - cost, others, base, chi2)


def posterior(cost: Floats, prior: Floats, temper: float = 1.0) -> Floats:
    """(pipes,) probability of each pipe; `temper` ≥ 1 flattens what a misfitting model says."""
    log = -0.5 * cost / max(1.0, temper) + np.log(np.maximum(prior, 1e-300))
    log -= log.max()
    weight = np.exp(log)
    return np.asarray(weight / weight.sum())


@dataclass(frozen=True, slots=True)
class Choice:
    """The pipe to dig at: how likely the leak lies within reach of it, and the mean distance if it does."""

    pipe: int
    sure: float
    distance_m: float


def best_dig(weight: Floats, distance_m: NDArray[np.float32], reach_m: float, near: Ints | None = None) -> Choice:
    """The pipe with most probability within reach, nearer counting more (a crew's search costs by the metre)."""
    places = np.flatnonzero(weight > weight.max() * 1e-3) if near is None else near
    within = distance_m[np.ix_(places, places)]
    share = np.where(within <= reach_m, 1.0 - 0.25 * within / reach_m, 0.0) @ weight[places]
    pick = int(np.argmax(share))
    inside = within[pick] <= reach_m
    sure = float(weight[places][inside].sum())
    mean = float((within[pick] * weight[places])[inside].sum() / max(sure, 1e-12))
    return Choice(int(places[pick]), sure, mean)
