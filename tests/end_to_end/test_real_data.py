"""A real day of buses, real captures, real water meters and real SCADA, through the whole path into marts.

Each total in the marts is compared with one that polars takes straight from the file, by code that shares
nothing with the platform.
"""

from __future__ import annotations

import bz2
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from google.transit import gtfs_realtime_pb2

from city.settings import ROOT, Settings
from warehouse.read import query

DATA = ROOT.parent / "shared" / "data"
AUSTIN = DATA / "transit" / "austin_vehicle_positions_2015-03-07.csv"
LOUISVILLE = [DATA / "transit" / f"louisville_{kind}.pb.bz2" for kind in ("vehicle_positions", "trip_updates")]
DAIAD = DATA / "water_meters" / "daiad_swm_trialA_clean.zip"
LTOWN = DATA / "water_network" / "ltown_2019_flows.csv"

GAP_DAYS = 62
"""The mart's stated rule (reading_gap_days in dbt_project.yml): use over a longer silence belongs to no day."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not AUSTIN.exists(), reason="the real data (../shared/data) are not beside this checkout"),
]


def gorodok(home: Path, *words: str | Path) -> str:
    """The command as a user runs it; gives its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "GORODOK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("real") / "home"
    landing = ("--via", "landing", "--json")
    roles = [word for sensor in ("p227", "p235") for word in ("--role", f"{sensor}=inlet")]
    summaries = [
        gorodok(home, "replay", "positions-csv", AUSTIN, *landing),
        gorodok(home, "replay", "gtfs-rt", *LOUISVILLE, *landing),
        gorodok(home, "replay", "scada-csv", LTOWN, "--zone-id", "area-a", *roles, *landing),
        gorodok(home, "replay", "meters-csv", DAIAD, *landing),
    ]
    assert [json.loads(summary)["refused"] for summary in summaries] == [0, 0, 0, 0]
    report = json.loads(gorodok(home, "build", "--json"))
    assert report["ok"], report["errors"]
    return Settings(home=home)


def test_nothing_of_it_was_refused(lake: Settings) -> None:
    assert query(lake, "SELECT count(*) FROM raw.quarantine").item() == 0


def test_austin_every_fix_of_every_bus(lake: Settings) -> None:
    file = pl.read_csv(AUSTIN, infer_schema=False).unique(["vehicle_id", "timestamp"])
    mart = query(
        lake,
        "SELECT vehicle_id, sum(fixes) AS fixes FROM marts.mart_vehicle_day WHERE day < DATE '2016-01-01' GROUP BY 1",
    )
    truth = file.group_by("vehicle_id").len()
    assert dict(mart.rows()) == dict(truth.rows())


def test_louisville_both_captures(lake: Settings) -> None:
    messages = []
    for path in LOUISVILLE:
        message = gtfs_realtime_pb2.FeedMessage()
        message.ParseFromString(bz2.decompress(path.read_bytes()))
        messages.append(message)
    vehicles = {(e.vehicle.vehicle.id, e.vehicle.timestamp) for e in messages[0].entity}
    stops = {
        (u.trip.trip_id, u.trip.start_date, s.stop_sequence, s.stop_id)
        for u in (e.trip_update for e in messages[1].entity)
        for s in u.stop_time_update
    }
    found = query(lake, "SELECT count(*) FROM raw.vehicle_position WHERE timestamp > TIMESTAMPTZ '2026-01-01'").item()
    assert found == len(vehicles)
    assert query(lake, "SELECT count(*) FROM raw.trip_update").item() == len(stops)


def test_daiad_litres_used_by_each_household(lake: Settings) -> None:
    with zipfile.ZipFile(DAIAD) as archive:
        text = archive.read("swm_trialA_clean.csv")
    file = (
        pl.read_csv(io.BytesIO(text), separator=";", infer_schema=False)
        .with_columns(
            pl.col("datetime").str.to_datetime("%d/%m/%Y %H:%M:%S").alias("at"),
            pl.col("meter.reading").cast(pl.Float64).alias("litres"),
        )
        .with_row_index()
        .unique(["user.key", "at"], keep="first", maintain_order=True)
        .sort("user.key", "at", "index")
    )
    steps = file.with_columns(
        pl.col("litres").diff().over("user.key").alias("step"), pl.col("at").diff().over("user.key").alias("gap")
    ).filter(pl.col("gap") <= pl.duration(days=GAP_DAYS))
    used_m3 = steps.filter(pl.col("step") > 0)["step"].sum() / 1000
    back = steps.filter(pl.col("step") < 0).height
    mart = query(
        lake, "SELECT sum(used_m3), sum(readings), sum(steps_back), count(DISTINCT meter_key) FROM marts.mart_meter_day"
    ).row(0)
    raw = query(lake, "SELECT count(*), count(DISTINCT meter_id) FROM raw.meter_reading").row(0)
    assert raw[1] == file["user.key"].n_unique() == mart[3]
    assert mart[1] == raw[0]
    # the repeated autumn hour is two hours in UTC and one on the file's clock: readings there may be in another order
    assert abs(raw[0] - file.height) <= 200
    assert mart[0] == pytest.approx(used_m3, rel=1e-3)
    assert abs(mart[2] - back) <= 100


def test_ltown_inflow_of_the_year(lake: Settings) -> None:
    file = pl.read_csv(LTOWN, separator=";", decimal_comma=True)
    assert query(lake, "SELECT count(*) FROM raw.scada_reading").item() == file.height * 3
    inflow_m3 = (file["p227"].sum() + file["p235"].sum()) / 12
    mart = query(
        lake, "SELECT sum(inflow_m3), avg(covered_share) FROM marts.mart_zone_day WHERE zone_id = 'area-a'"
    ).row(0)
    # the last reading of the year holds for half an hour, not for five minutes
    assert mart[0] == pytest.approx(inflow_m3, rel=1e-3)
    assert mart[1] > 0.99


def test_no_household_can_be_named_from_a_mart(lake: Settings) -> None:
    keys = set(query(lake, "SELECT DISTINCT meter_id FROM raw.meter_reading")["meter_id"])
    marts = query(lake, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts'")["table_name"]
    for mart in marts:
        for name, kind in query(lake, f"SELECT * FROM marts.{mart} LIMIT 0").schema.items():
            if kind == pl.String:
                values = set(query(lake, f'SELECT DISTINCT "{name}" FROM marts.{mart}')[name])
                assert not values & keys, f"{mart}.{name} names a household's meter"


def test_a_figure_leads_back_to_the_landed_segments(lake: Settings) -> None:
    out = gorodok(lake.home, "kpi", "--day", "2015-03-07", "--explain", "transit_fleet_on_line", "--json")
    explained = json.loads(out)
    assert any("vehicle_position-" in segment for segment in json.dumps(explained).split('"'))
