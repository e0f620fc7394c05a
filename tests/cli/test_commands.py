"""The commands as a user types them: what they print, and their exit codes (0 good, 1 the answer is no, 2 bad)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import geopandas
import polars as pl
import pytest

from city.settings import ROOT, Settings
from ingest.intake import Intake
from ingest.parcel import Parcel
from warehouse.lake import open_lake
from warehouse.load import load_segments

POSITION = {
    "vehicle_id": "bus-1",
    "timestamp": "2026-03-01T12:00:00+03:00",
    "latitude": 57.6,
    "longitude": 39.9,
    "speed_m_s": 5.5,
}


def run(home: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "GORODOK_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "apps.cli", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "home"
    settings = Settings(home=folder)
    with Intake(settings) as intake:
        intake.submit(Parcel("vehicle_position", "test", json.dumps(POSITION).encode()))
        intake.submit(Parcel("vehicle_position", "test", b'{"vehicle_id": "bus-2", "latitude": 99}'))
    load_segments(settings)
    with open_lake(settings) as lake:  # a mart with a place, as dbt would make it
        lake.execute(
            "CREATE TABLE marts.mart_place AS "
            "SELECT vehicle_id, latitude, longitude, timestamp FROM raw.vehicle_position"
        )
    return folder


def test_query_in_every_format(home: Path, tmp_path: Path) -> None:
    sql = "SELECT vehicle_id, speed_m_s, timestamp FROM raw.vehicle_position"
    assert b"bus-1" in run(home, "query", sql).stdout
    assert json.loads(run(home, "query", sql, "--format", "json").stdout)[0]["speed_m_s"] == 5.5
    assert pl.read_csv(run(home, "query", sql, "--format", "csv").stdout)["vehicle_id"].to_list() == ["bus-1"]
    parquet = pl.read_parquet(BytesIO(run(home, "query", sql, "--format", "parquet").stdout))
    assert parquet["timestamp"][0].isoformat() == "2026-03-01T09:00:00+00:00"
    done = run(home, "query", sql, "--format", "parquet", "--output", str(tmp_path / "out.parquet"))
    assert done.returncode == 0
    assert pl.read_parquet(tmp_path / "out.parquet").height == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["query", "SELEC 1"], 2, "syntax error"),
        (["query", "DROP TABLE raw.alert"], 2, "only SELECT"),
        (["query", "SELECT 1", "--at", "yesterday"], 2, "is not a time"),
        (["export", "mart_none", "x.csv"], 2, "no mart is called"),
        (["export", "mart_place", "x.docx"], 2, "ending must be"),
        (["quarantine", "show", "nothing"], 1, "gorodok quarantine list"),
        (["kpi", "--explain", "no_such_kpi"], 1, "no_such_kpi"),
        (["restore", "/nowhere"], 2, "manifest.json"),
    ],
)
def test_faults_are_told_with_their_remedy(home: Path, words: list[str], code: int, says: str) -> None:
    done = run(home, *words)
    assert done.returncode == code, done.stderr.decode()
    assert says in " ".join(done.stderr.decode().split())
    assert b"Traceback" not in done.stderr


def test_quarantine_shows_the_original_bytes_and_keeps_what_is_still_wrong(home: Path) -> None:
    [row] = json.loads(run(home, "quarantine", "list", "--json").stdout)
    assert row["feed"] == "vehicle_position"
    shown = run(home, "quarantine", "show", row["quarantine_id"][:8]).stdout
    assert b'{"vehicle_id": "bus-2", "latitude": 99}' in shown
    retried = run(home, "quarantine", "retry", "--json")
    assert retried.returncode == 1
    assert row["quarantine_id"] in json.loads(retried.stdout)["still_refused"]


def test_quarantine_retry_after_a_fix_loads_the_message(tmp_path: Path) -> None:
    """The fix here is the limit of a payload; a contract that gains a field is the other one."""
    small = Settings(home=tmp_path, max_payload_kb=1)
    batch = json.dumps([{**POSITION, "vehicle_id": f"bus-{n}"} for n in range(20)]).encode()
    with Intake(small) as intake:
        intake.submit(Parcel("vehicle_position", "test", batch))
    load_segments(small)
    assert json.loads(run(tmp_path, "quarantine", "retry", "--json").stdout) == {"accepted": 20, "still_refused": {}}
    assert json.loads(run(tmp_path, "quarantine", "list", "--json").stdout) == []
    done = run(tmp_path, "query", "SELECT count(*) AS n FROM raw.vehicle_position", "--format", "json")
    assert json.loads(done.stdout) == [{"n": 20}]


def test_export_to_each_format(home: Path, tmp_path: Path) -> None:
    for ending in ("csv", "xlsx", "parquet"):
        assert run(home, "export", "mart_place", str(tmp_path / f"place.{ending}")).returncode == 0
    assert pl.read_csv(tmp_path / "place.csv").height == 1
    with zipfile.ZipFile(tmp_path / "place.xlsx") as book:  # Office Open XML is a zip of XML
        assert {"vehicle_id", "latitude", "bus-1"} <= set(
            re.findall(r"<t>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
        )
    points = geopandas.read_parquet(tmp_path / "place.parquet")
    assert (points.geometry[0].x, points.geometry[0].y) == (39.9, 57.6)
    assert points.crs.to_epsg() == 4326


def test_doctor_on_a_new_machine_finds_nothing_wrong(tmp_path: Path) -> None:
    done = run(tmp_path / "home", "doctor", "--json", "--no-probe")
    findings = json.loads(done.stdout)
    assert done.returncode == 0, [one for one in findings if one["state"] == "bad"]
    assert {"python", "packages", "extensions", "city", "disk", "clock", "lake", "gateway", "broker"} <= {
        one["what"] for one in findings
    }
    assert all(one["remedy"] for one in findings if one["state"] == "info")


def test_doctor_tells_of_a_silent_feed_and_says_no(home: Path) -> None:
    from city_state.writer import CityStateWriter
    from ingest.contracts.vehicle_position import VehiclePosition
    from ingest.derive.arrow import to_batch

    state = CityStateWriter(Settings(home=home).state_path)
    old = VehiclePosition.model_validate_json(json.dumps(POSITION))
    state("vehicle_position", [old], to_batch("vehicle_position", [old], [old.timestamp], ["t"]))
    state.close()
    done = run(home, "doctor", "--json", "--no-probe")
    assert done.returncode == 1
    [bad] = [one for one in json.loads(done.stdout) if one["what"] == "vehicle_position"]
    assert bad["state"] == "bad"
