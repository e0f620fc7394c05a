"""Distance along the pipes between the middles of two links, as BattLeDIM measures it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

ZERO_LENGTH_M = 1e-6
"""Valves and pumps have no length; a sparse graph would take a zero for a missing edge."""


@dataclass(frozen=True, slots=True)
class Link:
    """A pipe, valve or pump between two nodes; length in metres (0 for valves and pumps)."""

    name: str
    start: str
    end: str
    length_m: float


class PipeDistance:
    """Metres along the network between the middles of links; asked for by name, one search a node, kept.

    The rule: 0 for one and the same link; else the shortest way between any of their end nodes plus half of both
    lengths. Links of parts that are not joined are infinitely far.
    """

    def __init__(self, links: Iterable[Link]) -> None:
        self.links: Mapping[str, Link] = {link.name: link for link in links}
        nodes = sorted({node for link in self.links.values() for node in (link.start, link.end)})
        self._row = {node: row for row, node in enumerate(nodes)}
        ends = [(self._row[link.start], self._row[link.end]) for link in self.links.values()]
        lengths = [max(link.length_m, ZERO_LENGTH_M) for link in self.links.values()]
        self._graph = _shortest_parallel(ends, lengths, len(nodes))
        self._found: dict[str, NDArray[np.float64]] = {}

    def between(self, one: str, other: str) -> float:
        """Metres; KeyError names a link that the network does not have."""
        first, second = self.links[one], self.links[other]
        if one == other:
            return 0.0
        way = min(
            float(self._from(a)[self._row[b]]) for a, b in product((first.start, first.end), (second.start, second.end))
        )
        return way + first.length_m / 2 + second.length_m / 2

    def matrix(self, names: list[str]) -> NDArray[np.float32]:
        """Metres between all of these links: shape (n, n)."""
        starts = np.array([self._row[self.links[name].start] for name in names])
        ends = np.array([self._row[self.links[name].end] for name in names])
        half = np.array([self.links[name].length_m / 2 for name in names])
        ways = dijkstra(self._graph, directed=False)
        near = np.minimum.reduce([ways[np.ix_(a, b)] for a, b in product((starts, ends), (starts, ends))])
        told = (near + half[:, None] + half[None, :]).astype(np.float32)
        np.fill_diagonal(told, 0.0)
        return np.asarray(told)

    def _from(self, node: str) -> NDArray[np.float64]:
        if node not in self._found:
            self._found[node] = dijkstra(self._graph, directed=False, indices=self._row[node])
        return self._found[node]


def links_of(model: Any) -> list[Link]:
    """The links of a wntr network."""
    return [
        Link(name, link.start_node_name, link.end_node_name, float(getattr(link, "length", 0.0) or 0.0))
        for name, link in model.links()
    ]


def _shortest_parallel(ends: list[tuple[int, int]], lengths: list[float], size: int) -> coo_matrix:
    """Of pipes side by side the shortest counts; a sparse matrix would add them up."""
    best: dict[tuple[int, int], float] = {}
    for (a, b), length in zip(ends, lengths, strict=True):
        key = (min(a, b), max(a, b))
        best[key] = min(length, best.get(key, float("inf")))
    rows, columns = zip(*best, strict=True) if best else ((), ())
    return coo_matrix((list(best.values()), (rows, columns)), shape=(size, size)).tocsr()
