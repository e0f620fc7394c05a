"""Layers and zones, and the timetable read by independent means."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from city.geometry import Zones, features, frame, geojson
from city.gtfs import day_start, read_gtfs
from city.profile import load_city
from city.settings import Settings

CITY = load_city(Settings(city="gorodok"))


def table(name: str) -> pl.DataFrame:
    return pl.read_csv(CITY.folder / "gtfs" / f"{name}.txt", infer_schema_length=0)


@pytest.mark.parametrize("layer", ["buildings", "sites", "stops", "devices"])
def test_every_thing_lies_in_the_zone_that_it_names(layer):
    zones = Zones(CITY)
    for feature in features(CITY, layer):
        assert zones.zone_at(feature.latitude, feature.longitude) == feature.properties.zone_id


def test_far_away_is_in_no_zone():
    assert Zones(CITY).zone_at(55.75, 37.62) is None


def test_zones_fill_the_boundary():
    whole = features(CITY, "boundary")[0].geometry
    parts = [zone.geometry for zone in features(CITY, "zones")]
    assert sum(part.area for part in parts) == pytest.approx(whole.area, rel=1e-3)


def test_frame_has_one_row_a_feature_and_a_crs():
    found = frame(CITY, "buildings")
    assert len(found) == 200
    assert found.crs.to_epsg() == 4326
    assert set(found["zone_id"]) == {"dma-1", "dma-2", "dma-3"}


def test_layer_that_a_city_lacks_is_empty(tmp_path):
    from city.profile import read_profile

    (tmp_path / "city.toml").write_text((CITY.folder / "city.toml").read_text())
    bare = read_profile(tmp_path)
    assert geojson(bare, "streets")["features"] == []
    assert len(frame(bare, "streets")) == 0


def test_a_caller_may_change_what_it_got():
    geojson(CITY, "stops")["features"].clear()
    assert len(geojson(CITY, "stops")["features"]) == 12


def test_timetable_joins():
    trips, times, stops = table("trips"), table("stop_times"), table("stops")
    assert times.join(trips, on="trip_id", how="anti").is_empty()
    assert trips.join(times, on="trip_id", how="anti").is_empty()
    assert times.join(stops, on="stop_id", how="anti").is_empty()
    assert trips.join(table("routes"), on="route_id", how="anti").is_empty()
    assert trips.join(table("calendar"), on="service_id", how="anti").is_empty()
    assert trips.join(table("shapes"), on="shape_id", how="anti").is_empty()
    assert (stops.height, table("routes").height) == (12, 3)
    assert stops.join(times, on="stop_id", how="anti").is_empty()


def test_reader_reads_what_the_files_hold():
    timetable, times = read_gtfs(CITY.folder), table("stop_times")
    assert len(timetable.trips) == table("trips").height
    assert sum(len(trip.calls) for trip in timetable.trips.values()) == times.height
    last = max(call.departure_s for trip in timetable.trips.values() for call in trip.calls)
    assert f"{last // 3600:02d}:{last // 60 % 60:02d}:{last % 60:02d}" == times["departure_time"].max()
    assert last > 86_400, "some trips run after midnight"


def test_trips_of_a_bus_do_not_overlap():
    rows = table("stop_times").join(table("trips"), on="trip_id")
    spans = (
        rows.group_by("block_id", "trip_id")
        .agg(pl.col("arrival_time").min().alias("first"), pl.col("departure_time").max().alias("last"))
        .sort("block_id", "first")
        .with_columns(pl.col("last").shift(1).over("block_id").alias("before"))
        .drop_nulls()
    )
    assert spans.height > 500
    assert spans.filter(pl.col("first") <= pl.col("before")).is_empty()


def test_service_days():
    timetable = read_gtfs(CITY.folder)
    assert timetable.runs("daily", date(2026, 11, 24))
    assert not timetable.runs("daily", date(2025, 12, 31))
    assert day_start(date(2026, 11, 24), CITY.timezone).isoformat() == "2026-11-24T00:00:00+03:00"
