"""Maps that ask nobody for tiles: the city's own GeoJSON under points of the feeds (deck.gl by pydeck).

`map_provider="carto"` with an empty style as a data: URL is what keeps the front end from fetching a style of
its own; with None or "" it does fetch one. Colours of the base are half transparent greys, good on light and dark.
Tooltips are inserted as HTML by the front end, so every value in one is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pydeck as pdk

from apps.streamlit.place import Place

Colour = tuple[int, int, int]
NO_STYLE = "data:application/json,%7B%22version%22:8,%22sources%22:%7B%7D,%22layers%22:[]%7D"
TOOLTIP = {
    "html": "{tip}",
    "style": {
        "background": "#14212B",
        "color": "#F2F6F8",
        "fontSize": "13px",
        "fontFamily": "sans-serif",
        "lineHeight": "1.4",
        "borderRadius": "6px",
        "padding": "7px 10px",
        "maxWidth": "280px",
    },
}
PIXELS = pdk.types.String("pixels")  # a bare string would be an expression
STREET: Colour = (128, 142, 154)
STALE: Colour = (138, 150, 160)
SMALL_SCREEN_BUILDINGS = 4_000  # more outlines than this are left out of a map that redraws every few seconds


@dataclass(frozen=True)
class Point:
    """Something with a place: `tip` lines are plain text, the first one is the title."""

    entity: str
    latitude: float
    longitude: float
    colour: Colour
    tip: Sequence[str]
    label: str = ""
    faded: bool = False


@dataclass(frozen=True)
class PointLayer:
    """Points of one kind; `name` is the layer's id (and what a selection is reported under)."""

    name: str
    points: Sequence[Point]
    radius_px: int = 6


def tip_html(lines: Iterable[str]) -> str:
    """Lines as HTML, the first one bold, everything escaped: a device's name is not ours to trust."""
    first, *rest = [escape(line) for line in lines if line] or [""]
    return "<br>".join([f"<b>{first}</b>", *rest])


def base_layers(place: Place, light: bool = False) -> list[pdk.Layer]:
    """Water, zones, streets and buildings as one layer; `light` leaves out the buildings of a big city.

    One layer, because every layer is drawn (and on a machine without a graphics card, computed) on its own.
    """
    buildings = place.buildings["features"]
    if light and len(buildings) > SMALL_SCREEN_BUILDINGS:
        buildings = []
    outlines = [
        *_styled(place.water["features"], [86, 160, 200, 90], [86, 160, 200, 140], 1.0),
        *_styled(place.zones["features"], [96, 150, 176, 26], [96, 150, 176, 150], 1.5),
        *_styled(place.streets["features"], [0, 0, 0, 0], [*STREET, 130], 1.6),
        *_styled(buildings, [*STREET, 90], [*STREET, 120], 0.5),
    ]
    return [_shapes("city", outlines)] if outlines else []


def _styled(features: Iterable[Mapping[str, Any]], fill: list[int], line: list[int], width_px: float) -> list[Any]:
    style = {"fill": fill, "line": line, "width": width_px}
    return [{"type": "Feature", "properties": style, "geometry": feature["geometry"]} for feature in features]


def _shapes(name: str, features: list[Any]) -> pdk.Layer:
    return pdk.Layer(
        "GeoJsonLayer",
        id=name,
        data={"type": "FeatureCollection", "features": features},
        stroked=True,
        filled=True,
        get_fill_color="properties.fill",
        get_line_color="properties.line",
        line_width_units=PIXELS,
        get_line_width="properties.width",
        pickable=False,
    )


def point_layers(layer: PointLayer) -> list[pdk.Layer]:
    """The points, and their short labels where they have any."""
    data = [
        {
            "entity": point.entity,
            "position": [round(point.longitude, 6), round(point.latitude, 6)],
            "colour": [*(STALE if point.faded else point.colour), 110 if point.faded else 235],
            "tip": tip_html(point.tip),
            "label": point.label,
        }
        for point in layer.points
    ]
    layers = [
        pdk.Layer(
            "ScatterplotLayer",
            id=layer.name,
            data=data,
            get_position="position",
            get_fill_color="colour",
            get_line_color=[255, 255, 255, 220],
            stroked=True,
            line_width_units=PIXELS,
            get_line_width=1.2,
            radius_units=PIXELS,
            get_radius=layer.radius_px,
            pickable=True,
            auto_highlight=True,
        )
    ]
    labelled = [row for row in data if row["label"]]
    if labelled:
        layers.append(
            pdk.Layer(
                "TextLayer",
                id=f"{layer.name}-labels",
                data=labelled,
                get_position="position",
                get_text="label",
                get_size=11,
                get_color=[255, 255, 255, 255],
                get_text_anchor=pdk.types.String("middle"),
                get_alignment_baseline=pdk.types.String("center"),
                font_weight=700,
                character_set=pdk.types.String("auto"),
                pickable=False,
            )
        )
    return layers


def deck(place: Place, layers: Iterable[PointLayer], light: bool = False, areas: Sequence[pdk.Layer] = ()) -> pdk.Deck:
    """The whole map, looking at the whole city from straight above."""
    shown = [*base_layers(place, light), *areas]
    for layer in layers:
        if layer.points:
            shown.extend(point_layers(layer))
    return pdk.Deck(
        layers=shown,
        initial_view_state=pdk.ViewState(
            latitude=place.latitude, longitude=place.longitude, zoom=place.zoom, pitch=0, bearing=0
        ),
        map_provider="carto",
        map_style=NO_STYLE,
        tooltip=TOOLTIP,  # type: ignore[arg-type]
    )


def zone_areas(shapes: Iterable[tuple[Mapping[str, Any], Colour]]) -> list[pdk.Layer]:
    """Zones that something is the matter with: geometry and colour of each."""
    styled = [
        one for shape, colour in shapes for one in _styled([{"geometry": shape}], [*colour, 46], [*colour, 220], 2.5)
    ]
    return [_shapes("zone-areas", styled)] if styled else []


def alert_areas(rings: Iterable[Sequence[tuple[float, float]]]) -> list[pdk.Layer]:
    """Areas of public alerts, given as rings of (latitude, longitude)."""
    features = [{"geometry": {"type": "Polygon", "coordinates": [[[lon, lat] for lat, lon in ring]]}} for ring in rings]
    styled = _styled(features, [213, 94, 0, 36], [213, 94, 0, 210], 2.0)
    return [_shapes("alert-areas", styled)] if styled else []
