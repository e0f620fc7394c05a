"""What the town draws when nothing leaks: how each kind of demand runs in time, from household meters or the calendar.

A kind is a demand pattern of the EPANET file (residential, commercial…). Household meters stand at nodes whose base
demand of each kind is known; so the kinds' courses are the least-squares answer to what all meters read in an hour.
Without household meters the course is the file's own pattern, and what it cannot know stands in the balance's spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domains.water.network.arrays import Floats, Ints, Network

LITRES = 1000.0
LIKE_BASE = (0.4, 2.5)
"""A meter that reads this many times its node's base demand measures the node; another one only shows the course."""


@dataclass(frozen=True, slots=True)
class Meters:
    """Household meters at nodes: rows into the network, how to get the kinds' courses from them."""

    nodes: Ints
    solve: Floats
    base: Floats

    def courses(self, litres_h: Floats) -> Floats:
        """(kinds,) multipliers from one hour's readings; NaN when less than half of the base demand is told."""
        good = np.isfinite(litres_h)
        if good.all():
            return np.asarray(self.solve @ (litres_h / LITRES))
        if self.base[good].sum() < 0.5 * self.base.sum():
            return np.full(len(self.solve), np.nan)
        return _solver(self.base[good]) @ (litres_h[good] / LITRES)


def meters_of(network: Network, names: tuple[str, ...]) -> Meters | None:
    """The household meters that stand at nodes with a demand; None when there are too few to tell the kinds apart."""
    if not names or not network.kinds:
        return None
    where = {name: row for row, name in enumerate(network.nodes)}
    nodes = np.array([where.get(name, -1) for name in names], dtype=np.int64)
    base = np.where(nodes[:, None] >= 0, network.base_m3_s[:, nodes].T * 3600, 0.0).reshape(len(names), -1)
    if np.linalg.matrix_rank(base) == 0 or (base.sum(axis=1) > 0).sum() < 2 * base.shape[1]:
        return None
    return Meters(nodes, _solver(base), base)


def _solver(base: Floats) -> Floats:
    """(kinds, meters): least squares, each meter by its own size; a kind nobody meters stays 0."""
    weight = 1 / np.maximum(base.sum(axis=1), 0.02)
    return np.asarray(np.linalg.pinv(base * weight[:, None], rcond=1e-6) * weight[None, :])


def calendar_course(network: Network, seconds: float) -> Floats:
    """(kinds,) the file's own patterns at a time since its start."""
    step = int(seconds // network.pattern_step_s)
    return np.array([pattern[step % len(pattern)] for pattern in network.patterns])
