"""The utility's network on the page: its pipes on the map, and its model for what-if. Read once a server process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydeck as pdk
import streamlit as st

from city.profile import load_city
from city.settings import Settings
from city.water import Contractor, WaterPlan, load_water

Path2 = list[list[float]]
"""[[longitude, latitude], …]"""


@dataclass(frozen=True)
class Pipe:
    """A link as the map draws it. valve: it is shut, or regulates."""

    link_id: str
    path: Path2
    length_m: float | None
    diameter_mm: float | None
    dma_id: str | None
    is_shut: bool

    @property
    def middle(self) -> tuple[float, float]:
        """(latitude, longitude)"""
        lon, lat = self.path[len(self.path) // 2] if len(self.path) > 2 else [
            (a + b) / 2 for a, b in zip(self.path[0], self.path[-1], strict=True)
        ]  # fmt: skip
        return lat, lon


@dataclass(frozen=True)
class Network:
    """pipes: by link. nodes: junction → (longitude, latitude). model: wntr's, not to be changed."""

    pipes: Mapping[str, Pipe]
    nodes: Mapping[str, tuple[float, float]]
    model: Any


@st.cache_resource(show_spinner=False)
def plan(cities_dir: str, city: str) -> WaterPlan:
    return load_water(load_city(Settings(cities_dir=Path(cities_dir), city=city)))


def contractors(known: WaterPlan) -> Mapping[str, Contractor]:
    return known.contractors


@st.cache_resource(show_spinner=False)
def load(cities_dir: str, city: str) -> Network | None:
    """None where the city has no model, or its model has no place on the map."""
    place = plan(cities_dir, city).network
    if place.file is None or (place.crs is None and place.latitude is None):
        return None
    from domains.water.layers import network_layers, read_model

    model = read_model(Path(cities_dir) / city / place.file)
    layers = network_layers(model, place=None if place.crs else place.place)
    named = dict(layers.named())
    if place.crs:
        named = {name: layer.set_crs(place.crs).to_crs("EPSG:4326") for name, layer in named.items() if len(layer)}
    pipes: dict[str, Pipe] = {}
    for kind in ("pipes", "valves", "pumps"):
        for row in named[kind].to_dict("records") if kind in named else ():
            pipes[row["link_id"]] = Pipe(
                row["link_id"], [[round(x, 6), round(y, 6)] for x, y in row["geometry"].coords],
                row.get("length_m"), row.get("diameter_mm"), row["dma_id"], row.get("status") == "Closed",
            )  # fmt: skip
    nodes = {row["node_id"]: (row["geometry"].x, row["geometry"].y) for row in named["nodes"].to_dict("records")}
    return Network(pipes, nodes, model)


def here() -> Network | None:
    from apps.streamlit.data import current

    return load(str(current().cities_dir), current().city)


def pipe_layer(network: Network, tips: Mapping[str, str], marked: Mapping[str, list[int]]) -> pdk.Layer:
    """All links as one layer; marked: link → colour. tips are HTML, escaped by the caller."""
    rows = [
        {
            "entity": pipe.link_id, "path": pipe.path, "tip": tips.get(pipe.link_id, ""),
            "colour": marked.get(pipe.link_id, [120, 128, 134, 230] if pipe.is_shut else [43, 140, 176, 190]),
            "width": 6 if pipe.link_id in marked else 2,
        }
        for pipe in network.pipes.values()
    ]  # fmt: skip
    return pdk.Layer(
        "PathLayer", id="pipes", data=rows, get_path="path", get_color="colour", get_width="width",
        width_units=pdk.types.String("pixels"), width_min_pixels=1.5, pickable=True, auto_highlight=True,
        cap_rounded=True, joint_rounded=True,
    )  # fmt: skip
