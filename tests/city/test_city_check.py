"""A whole city's folder: Gorodok passes, and each way of breaking it is found where it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from apps.cli.commands import city as command
from city.check import check_city
from city.settings import ROOT, settings

GORODOK = ROOT / "cities" / "gorodok"


@pytest.fixture
def town(tmp_path: Path) -> Path:
    folder = tmp_path / "cities" / "town"
    shutil.copytree(GORODOK, folder)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_gorodok_passes():
    assert check_city(GORODOK) == []


BREAKS = [
    ("buildings.geojson", '"zone_id":"dma-1"', '"zone_id":"dma-9"', "zone_id", "dma-9", "zones.geojson"),
    ("buildings.geojson", '"building_id":"b-002"', '"building_id":"b-001"', "building_id", "b-001", "another"),
    ("buildings.geojson", '"floors":1', '"floors":"one"', "floors", "one", "integer"),
    ("buildings.geojson", '"floors":1', '"storeys":1', "storeys", "1", "misprint"),
    ("sites.geojson", '"kind":"yard"', '"kind":"garden"', "kind", "garden", "'waste_site'"),
    ("stops.geojson", "[39.882632,57.596788]", "[57.596788,39.882632]", "geometry", "39.88", "longitude, latitude"),
    ("stops.geojson", '"type":"Point"', '"type":"Pt"', "geometry.type", "Pt", "Point"),
    ("devices.geojson", '"site_id":"waste-01"', '"site_id":"waste-99"', "site_id", "waste-99", "sites.geojson"),
    ("devices.geojson", '["unlock","lock"]', '["explode"]', "actions.0", "explode", "'unlock'"),
    ("zones.geojson", '"features":[', '"featuers":[', "type", "featuers", "FeatureCollection"),
    ("zones.geojson", "{", "", "", "Extra data", "not JSON"),
    ("gtfs/stop_times.txt", ",s-01,1,", ",s-77,1,", "line 2.stop_id", "s-77", "stops.txt"),
    ("gtfs/stop_times.txt", "04:00:00,04:00:00", "04:00:00,4 am", "line 2.departure_time", "4 am", "HH:MM:SS"),
    ("gtfs/trips.txt", "r-1,daily", "r-8,daily", "r-1-b1-001.route_id", "r-8", "routes.txt"),
    ("gtfs/calendar.txt", "daily", "nightly", "r-1-b1-001.service_id", "daily", "calendar.txt"),
    ("gtfs/stops.txt", "s-12,", "s-13,Новая,57.6,39.9,dma-1\ns-12,", "stop_id", "s-13", "stops.geojson"),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "value", "remedy"), BREAKS, ids=[f"{b[0]}-{b[3]}" for b in BREAKS]
)
def test_each_break_is_found(town, file, old, new, key, value, remedy):
    edit(town / file, old, new)
    found = [one for one in check_city(town) if one.key.endswith(key) and value in one.value and remedy in one.remedy]
    assert found, check_city(town)[:5]
    assert found[0].file in (file, "gtfs/stop_times.txt", "gtfs/trips.txt")


def test_missing_layer_and_overlapping_zones(town):
    (town / "boundary.geojson").unlink()
    zones = json.loads((town / "zones.geojson").read_text())
    zones["features"][1]["geometry"] = zones["features"][0]["geometry"]
    (town / "zones.geojson").write_text(json.dumps(zones))
    problems = check_city(town)
    assert ("boundary.geojson", "missing") in [(one.file, one.value) for one in problems]
    assert any("overlap" in one.remedy and one.value == "dma-1 and dma-2" for one in problems)


def test_trips_that_go_back_in_time(town):
    edit(town / "gtfs/stop_times.txt", "r-1-b1-001,04:01:", "r-1-b1-001,03:01:")
    assert any("go back" in one.remedy for one in check_city(town))


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.setenv("GORODOK_CITIES_DIR", str(tmp_path / "cities"))
    settings.cache_clear()
    app = typer.Typer()
    command.register(app)

    @app.callback()
    def root() -> None:
        """Keeps `city` a group."""

    yield lambda *arguments: CliRunner().invoke(app, ["city", *arguments])
    settings.cache_clear()


def test_new_city_passes_its_check(cli, tmp_path):
    made = cli("new", "svetly", "--latitude", "52.1", "--longitude", "23.7")
    assert made.exit_code == 0
    assert check_city(tmp_path / "cities" / "svetly") == []
    assert cli("check", "svetly").exit_code == 0
    assert cli("new", "svetly").exit_code == 2
    assert cli("new", "Светлый").exit_code == 2


def test_check_says_no_with_json(cli, town):
    edit(town / "city.toml", "population =", "populaton =")
    said = cli("check", "town", "--json")
    assert said.exit_code == 1
    problems = json.loads(said.stdout)["problems"]
    assert {one["key"] for one in problems} == {"population", "populaton"}
    assert cli("check", "nowhere").exit_code == 2


def test_a_lamp_that_was_not_accepted_is_found(town):
    edit(town / "devices.geojson", '"required":100', '"required":500')
    found = [one for one in check_city(town) if "passport" in one.key]
    assert [(one.file, "not accepted" in one.remedy) for one in found] == [("devices.geojson", True)]
