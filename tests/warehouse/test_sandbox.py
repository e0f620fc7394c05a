"""`gorodok query` reads the lake and nothing else: a dozen ways out are tried."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from city.settings import Settings
from tests.warehouse.conftest import position
from warehouse.load import load_segments
from warehouse.read import query

META = "__ducklake_metadata_lake"

ESCAPES = {
    "read a file": "SELECT * FROM read_csv('{outside}')",
    "read text": "SELECT * FROM read_text('/etc/passwd')",
    "read a file by name": "SELECT * FROM '{outside}'",
    "list a folder": "SELECT * FROM glob('/etc/*')",
    "list folders above the lake": "SELECT * FROM glob('{data}../*')",
    "write a file": "COPY (SELECT 1) TO '{written}'",
    "write into the lake's folder": "COPY (SELECT 1) TO '{data}x.parquet'",
    "write while explaining": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{data}x.parquet'",
    "attach a database": "ATTACH '{written}' AS other",
    "export everything": "EXPORT DATABASE '{written}'",
    "insert": "INSERT INTO raw.vehicle_position SELECT * FROM raw.vehicle_position",
    "drop": "DROP TABLE raw.vehicle_position",
    "delete from the catalog": f"DELETE FROM {META}.ducklake_table",
    "open the sandbox": "SET enable_external_access = true",
    "allow another folder": "SET allowed_directories = ['/']",
    "install an extension": "INSTALL httpfs",
    "load an extension": "LOAD '{outside}'",
    "run a program in PostgreSQL": (
        f"SELECT * FROM postgres_query('{META}', 'COPY (SELECT 1) TO PROGRAM ''touch {{written}}''')"
    ),
    "read a file through PostgreSQL": f"SELECT * FROM postgres_query('{META}', 'SELECT pg_read_file(''/etc/passwd'')')",
    "write through PostgreSQL": f"CALL postgres_execute('{META}', 'CREATE TABLE escape (a int)')",
    "leave PostgreSQL's transaction": f"CALL postgres_execute('{META}', 'COMMIT; DELETE FROM ducklake_table')",
    "become superuser in PostgreSQL": (
        f"CALL postgres_execute('{META}', 'COMMIT; SET ROLE postgres; DROP TABLE ducklake_table')"
    ),
    "two statements": "SELECT 1; DROP TABLE raw.vehicle_position",
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    import json

    from ingest.intake import Intake
    from ingest.parcel import Parcel

    settings = Settings(home=tmp_path_factory.mktemp("sandbox") / "home")
    with Intake(settings) as intake:
        intake.submit(Parcel("vehicle_position", "test", json.dumps([position(n) for n in range(2_000)]).encode()))
    load_segments(settings)
    return settings


@pytest.mark.parametrize("way", ESCAPES, ids=list(ESCAPES))
def test_no_way_out(lake: Settings, way: str, tmp_path: Path) -> None:
    outside, written = tmp_path / "secret.csv", tmp_path / "written"
    outside.write_text("secret\n1\n")
    sql = ESCAPES[way].replace("{outside}", str(outside)).replace("{written}", str(written))
    with pytest.raises(duckdb.Error):
        query(lake, sql.replace("{data}", f"{lake.lake_dir}/"))
    assert not written.exists()
    assert query(lake, "SELECT count(*) FROM raw.vehicle_position").item() == 2_000


def test_the_lake_itself_stays_readable(lake: Settings) -> None:
    rows = query(lake, "SELECT vehicle_id, count(*) AS n FROM raw.vehicle_position GROUP BY 1 ORDER BY 1").rows()
    assert rows == [(f"bus-{n}", 200) for n in range(10)]


def test_parameters_are_values_and_never_sql(lake: Settings) -> None:
    sql = "SELECT count(*) FROM raw.vehicle_position WHERE vehicle_id = ?"
    assert query(lake, sql, ["bus-1' OR '1'='1"]).item() == 0
