"""L-Town as layers against wntr alone; areas of a small graph by hand; the place on the map."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest
from typer.testing import CliRunner

from apps.cli.main import app
from city.water import NetworkPlace
from domains.water.layers import NetworkError, find_dmas, network_layers, read_model

L_TOWN = Path(__file__).resolve().parents[3] / "shared" / "data" / "water_network" / "L-TOWN.inp"

needs_l_town = pytest.mark.skipif(not L_TOWN.exists(), reason=f"real data are not here: {L_TOWN}")


def test_areas_are_what_borders_cut_off() -> None:
    """R –meter– a – b –valve– c – d; e hangs on a meter alone, a chamber."""
    links = [("m", "R", "a"), ("p1", "a", "b"), ("v", "b", "c"), ("p2", "c", "d"), ("p3", "d", "c2"), ("m2", "a", "e")]
    areas = find_dmas(links, sources={"R"}, borders={"m", "v", "m2"})
    assert areas.of_node == {"c": "dma-1", "d": "dma-1", "c2": "dma-1", "a": "dma-2", "b": "dma-2"}
    assert areas.borders == {"dma-1": ("v",), "dma-2": ("m", "m2", "v")}
    assert areas.of_link("a", "b") == "dma-2"
    assert areas.of_link("R", "a") == "dma-2"
    assert areas.of_link("b", "c") is None


def test_a_place_turns_metres_into_degrees() -> None:
    place = NetworkPlace(latitude=60.0, longitude=30.0, x_m=100, y_m=50)
    assert place.place(100, 50) == (30.0, 60.0)
    longitude, latitude = place.place(100, 50 + 111_195.08)
    assert (longitude, latitude) == (30.0, pytest.approx(61.0, abs=1e-6))
    assert place.place(100 + 55_597.54, 50)[0] == pytest.approx(31.0, abs=1e-6)
    turned = NetworkPlace(latitude=60.0, longitude=30.0, rotation_deg=90)
    assert turned.place(111_195.08, 0) == (pytest.approx(30.0), pytest.approx(61.0, abs=1e-6))
    with pytest.raises(ValueError, match="exclude"):
        NetworkPlace(crs="EPSG:32637", latitude=1, longitude=1)


@needs_l_town
def test_l_town_has_its_three_areas() -> None:
    """The contest names A, B and C: the main part, the one behind PRV-3, and the tank's."""
    model = read_model(L_TOWN)
    layers = network_layers(model, meters={"p227", "p235"})
    assert [len(layer) for layer in (layers.pipes, layers.nodes, layers.valves, layers.pumps, layers.tanks)] == [
        len(names)
        for names in (
            model.pipe_name_list, model.junction_name_list, model.valve_name_list, model.pump_name_list,
            [*model.tank_name_list, *model.reservoir_name_list],
        )
    ]  # fmt: skip
    assert layers.pipes["length_m"].sum() == pytest.approx(sum(pipe.length for _, pipe in model.pipes()))
    dmas = layers.dmas.set_index("dma_id")
    assert dmas["nodes"].to_dict() == {"dma-1": 657, "dma-2": 93, "dma-3": 31}
    assert dmas.loc["dma-3", "border_links"] == ["PRV-3"]
    with pytest.raises(NetworkError, match="nothing"):
        network_layers(model, meters={"nothing"})


@needs_l_town
def test_command_writes_layers_on_the_map(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["water", "network", str(L_TOWN), "--out", str(tmp_path / "net"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["pipes"] == 905
    pipes = gpd.read_parquet(tmp_path / "net" / "pipes.parquet")
    assert pipes.crs.to_epsg() == 4326
    west, south, east, north = pipes.total_bounds
    assert (39.8 < west < east < 40.0, 57.5 < south < north < 57.7) == (True, True)


def test_command_says_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "x.inp"
    broken.write_text("[JUNCTIONS]\nthis is none\n")
    done = CliRunner().invoke(app, ["water", "network", str(broken), "--out", str(tmp_path)])
    assert done.exit_code == 2
