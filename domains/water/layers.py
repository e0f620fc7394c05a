"""An EPANET network as map layers, and the district metered areas that its closed valves and meters cut it into.

    layers = network_layers(read_model("L-TOWN.inp"), meters={"p227", "p235"}, place=plan.network.place)

Pure but for `read_model`. Coordinates are WGS 84 where `place` turns the model's metres into them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
from shapely.geometry import LineString, MultiPoint, Point

Place = Callable[[float, float], tuple[float, float]]
"""(x, y) of the model → (longitude, latitude)."""

WGS84 = "EPSG:4326"


class NetworkError(Exception):
    """The file is no EPANET network that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Layers:
    """One table a kind of thing; geometry in WGS 84, or in the model's own metres without a place.

    dmas: one row an area: dma_id, nodes, mains_km, links at its border.
    """

    pipes: gpd.GeoDataFrame
    nodes: gpd.GeoDataFrame
    valves: gpd.GeoDataFrame
    pumps: gpd.GeoDataFrame
    tanks: gpd.GeoDataFrame
    dmas: gpd.GeoDataFrame

    def named(self) -> Mapping[str, gpd.GeoDataFrame]:
        return {name: getattr(self, name) for name in self.__slots__}


def read_model(path: Path) -> Any:
    """wntr's WaterNetworkModel. Raises NetworkError."""
    import wntr

    try:
        return wntr.network.WaterNetworkModel(str(path))
    except Exception as error:  # wntr raises whatever its parser stumbles on
        raise NetworkError(f"{path}: no EPANET network: {error}") from error


def network_layers(
    model: Any, *, meters: Collection[str] = (), closed: Collection[str] = (), place: Place | None = None
) -> Layers:
    """meters: links with a flow meter; closed: links that are shut and the model does not know it.

    Both, and every valve that is not plainly open, are the borders of the areas. NetworkError names a link that the
    model does not have.
    """
    known = set(model.link_name_list)
    if unknown := sorted((set(meters) | set(closed)) - known):
        raise NetworkError(f"the network has no link {unknown[0]!r}")
    borders = set(meters) | set(closed) | {name for name, link in model.links() if _is_border(link)}
    areas = find_dmas(_links(model), _sources(model), borders)
    crs = None if place is None else WGS84
    put = place or (lambda x, y: (x, y))

    def line(link: Any) -> LineString:
        points = [link.start_node.coordinates, *link.vertices, link.end_node.coordinates]
        return LineString([put(x, y) for x, y in points])

    def links(chosen: Iterable[tuple[str, Any]], **more: Callable[[Any], Any]) -> gpd.GeoDataFrame:
        rows = [
            {
                "link_id": name, "start_node": link.start_node_name, "end_node": link.end_node_name,
                "dma_id": areas.of_link(link.start_node_name, link.end_node_name),
                "is_border": name in borders, **{key: tell(link) for key, tell in more.items()}, "geometry": line(link),
            }
            for name, link in chosen
        ]  # fmt: skip
        columns = ["link_id", "start_node", "end_node", "dma_id", "is_border", *more, "geometry"]
        return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=crs)

    def nodes(chosen: Iterable[tuple[str, Any]], **more: Callable[[Any], Any]) -> gpd.GeoDataFrame:
        rows = [
            {
                "node_id": name, "dma_id": areas.of_node.get(name), **{key: tell(node) for key, tell in more.items()},
                "geometry": Point(*put(*node.coordinates)),
            }
            for name, node in chosen
        ]  # fmt: skip
        return gpd.GeoDataFrame(rows, columns=["node_id", "dma_id", *more, "geometry"], geometry="geometry", crs=crs)

    pipes = links(
        model.pipes(), length_m=lambda p: float(p.length), diameter_mm=lambda p: float(p.diameter) * 1_000,
        roughness=lambda p: float(p.roughness), status=lambda p: str(p.initial_status),
    )  # fmt: skip
    return Layers(
        pipes,
        nodes(
            model.junctions(),
            elevation_m=lambda n: float(n.elevation),
            demand_m3_h=lambda n: float(n.base_demand or 0) * 3_600,
        ),
        links(model.valves(), valve_type=lambda v: str(v.valve_type), status=lambda v: str(v.initial_status)),
        links(model.pumps(), status=lambda p: str(p.initial_status)),
        nodes(
            [*model.tanks(), *model.reservoirs()], kind=lambda n: str(n.node_type).lower(),
            elevation_m=lambda n: float(n.elevation if n.node_type == "Tank" else n.base_head),
        ),
        _areas_layer(areas, model, pipes, put, crs),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Areas:
    """of_node: node → area; a reservoir or tank that borders cut off is in none. borders: area → links at its edge."""

    of_node: Mapping[str, str]
    borders: Mapping[str, tuple[str, ...]]

    def of_link(self, start: str, end: str) -> str | None:
        """The area that both ends lie in; of a border, the one that it feeds where it is only one."""
        found = {self.of_node[node] for node in (start, end) if node in self.of_node}
        return found.pop() if len(found) == 1 else None


def find_dmas(links: Iterable[tuple[str, str, str]], sources: Collection[str], borders: Collection[str]) -> Areas:
    """Partition of the graph of (link, start, end): what hangs together when the borders are taken out.

    Areas are numbered by their size, the largest is dma-1. A reservoir behind a meter, and a chamber's one node between
    a meter and a valve, are none.
    """
    joined = _Joined()
    border_links = []
    for name, start, end in links:
        if name in borders:
            border_links.append((name, start, end))
        else:
            joined.join(start, end)
    parts = [part for part in joined.parts() if len(part - set(sources)) > 1]
    parts.sort(key=lambda part: (-len(part), min(part)))
    of_node = {node: f"dma-{number}" for number, part in enumerate(parts, 1) for node in part}
    edges: dict[str, list[str]] = {f"dma-{number}": [] for number in range(1, len(parts) + 1)}
    for name, start, end in border_links:
        for area in {of_node.get(start), of_node.get(end)} - {None}:
            edges[str(area)].append(name)
    return Areas(of_node, {area: tuple(sorted(names)) for area, names in edges.items()})


class _Joined:
    """Nodes that hang together (union-find)."""

    def __init__(self) -> None:
        self._over: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        self._over[self._root(one)] = self._root(other)

    def parts(self) -> list[set[str]]:
        found: dict[str, set[str]] = {}
        for node in self._over:
            found.setdefault(self._root(node), set()).add(node)
        return list(found.values())

    def _root(self, node: str) -> str:
        over = self._over.setdefault(node, node)
        while over != node:
            self._over[node] = self._over[over]
            node, over = over, self._over[over]
        return node


def _is_border(link: Any) -> bool:
    """A valve that regulates or is shut, a pump, or a shut pipe: water passes only where it is meant to."""
    if link.link_type == "Pipe":
        return str(link.initial_status) == "Closed"
    return True


def _links(model: Any) -> list[tuple[str, str, str]]:
    return [(name, link.start_node_name, link.end_node_name) for name, link in model.links()]


def _sources(model: Any) -> set[str]:
    return {*model.reservoir_name_list, *model.tank_name_list}


def _areas_layer(areas: Areas, model: Any, pipes: gpd.GeoDataFrame, put: Place, crs: str | None) -> gpd.GeoDataFrame:
    """Each area as the hull of its nodes."""
    members: dict[str, list[str]] = {}
    for node, area in areas.of_node.items():
        members.setdefault(area, []).append(node)
    lengths = pipes.groupby("dma_id")["length_m"].sum() / 1_000

    def hull(nodes: list[str]) -> Any:
        return MultiPoint([put(*model.get_node(node).coordinates) for node in nodes]).convex_hull

    rows = [
        {
            "dma_id": area, "nodes": len(nodes), "mains_km": float(lengths.get(area, 0.0)),
            "border_links": list(areas.borders.get(area, ())), "geometry": hull(nodes),
        }
        for area, nodes in members.items()
    ]  # fmt: skip
    columns = ["dma_id", "nodes", "mains_km", "border_links", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=crs)
