"""The generator of cities/gorodok."""

from __future__ import annotations

import json

import shapely.geometry

from city.settings import ROOT
from simulator.town.draw import SEED, draw

GORODOK = ROOT / "cities" / "gorodok"


def test_checked_in_files_are_the_generators():
    for name, text in draw(SEED).items():
        stale = f"{name} is stale: python -m simulator.town --out cities/gorodok"
        assert (GORODOK / name).read_text(encoding="utf-8") == text, stale


def test_nothing_else_lies_there():
    known = {*draw(SEED), "city.toml", "sources.toml"}
    drawn = {str(path.relative_to(GORODOK)) for path in GORODOK.rglob("*") if path.suffix in (".geojson", ".txt")}
    assert drawn <= known


def test_another_seed_is_another_town():
    assert draw(SEED + 1)["buildings.geojson"] != draw(SEED)["buildings.geojson"]


def test_two_hundred_houses_that_do_not_overlap():
    houses = json.loads(draw()["buildings.geojson"])["features"]
    assert len(houses) == 200
    assert sum(house["properties"]["flats"] for house in houses) == 2_000
    assert len({house["properties"]["address"] for house in houses}) == 200
    shapes = [shapely.geometry.shape(house["geometry"]) for house in houses]
    tree = shapely.STRtree(shapes)
    pairs = [(a, b) for a, b in tree.query(shapes, predicate="intersects").T if a < b]
    assert pairs == []


def test_houses_keep_off_the_streets():
    files = draw()
    streets = [shapely.geometry.shape(one["geometry"]) for one in json.loads(files["streets.geojson"])["features"]]
    roads = shapely.union_all(streets)
    for house in json.loads(files["buildings.geojson"])["features"]:
        assert not shapely.geometry.shape(house["geometry"]).intersects(roads), house["properties"]["address"]
