"""`gorodok water network`: an EPANET file as GeoParquet layers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import fail, print_json, print_table
from city.settings import settings


def register(app: typer.Typer) -> None:
    app.command("network", help="Сеть EPANET → слои GeoParquet / An EPANET network as GeoParquet layers")(network)


def network(
    file: Annotated[Path, typer.Argument(metavar="FILE.inp", help="Сеть EPANET / EPANET network")],
    out: Annotated[Path, typer.Option(help="Куда / Folder for the layers")],
    meter: Annotated[list[str] | None, typer.Option(help="Участок с расходомером / Metered link (repeatable)")] = None,
    closed: Annotated[list[str] | None, typer.Option(help="Закрытый участок / Closed link (repeatable)")] = None,
    metres: Annotated[bool, typer.Option("--metres", help="В метрах модели / In the model's own metres")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Итог в JSON / Summary as JSON")] = False,
) -> None:
    """Exit code 0: written; 2: wrong usage, or a file that cannot be read."""
    from city.problem import CityError
    from city.profile import load_city
    from city.water import load_water
    from domains.water.layers import NetworkError, network_layers, read_model

    try:
        place = None if metres else load_water(load_city(settings())).network
        if place is not None and place.crs is None and place.latitude is None:
            fail("water.toml: network has no place", "write crs, or latitude and longitude; or give --metres")
        own_crs = None if place is None else place.crs
        put = None if place is None or own_crs is not None else place.place
        layers = network_layers(read_model(file), meters=meter or (), closed=closed or (), place=put)
    except (NetworkError, CityError) as error:
        fail(str(error), "correct the file or the option")
    out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for name, layer in layers.named().items():
        placed = layer if own_crs is None else layer.set_crs(own_crs).to_crs("EPSG:4326")
        placed.to_parquet(out / f"{name}.parquet")
        counts[name] = len(layer)
    if as_json:
        print_json({"folder": str(out), **counts})
        return
    print_table(counts.items(), ("слой / layer", "штук / things"))
    rows = [
        (row.dma_id, row.nodes, round(row.mains_km, 3), ", ".join(row.border_links)) for row in layers.dmas.itertuples()
    ]
    print_table(rows, ("зона / dma", "узлов / nodes", "км / km", "границы / borders"))
