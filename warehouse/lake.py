"""Attaching the lake (DuckLake) to a DuckDB connection, for writing or for reading in a sandbox."""

from __future__ import annotations

import functools
import os
from datetime import datetime

import duckdb

from city.profile import load_city
from city.settings import Settings
from city.water import balance_facts
from warehouse.catalog import catalog_uri, reader_uri

EXTENSIONS = ("ducklake", "postgres_scanner")
MEMORY_LIMIT = "3GB"


class LakeMissingError(RuntimeError):
    """There is no lake yet: nothing was loaded."""


@functools.cache
def _install(extra: tuple[str, ...]) -> None:
    """Takes the extensions from their wheels, so that no network is needed."""
    from duckdb_extensions import import_extension

    with duckdb.connect() as connection:
        for name in (*EXTENSIONS, *extra):
            import_extension(name, con=connection)


def data_path(settings: Settings) -> str:
    """Folder or s3:// prefix of the lake's Parquet, with a slash at its end."""
    path = settings.lake_data or str(settings.lake_dir)
    return path if path.endswith("/") else path + "/"


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the extensions and limits, and no lake attached."""
    extra = ("httpfs",) if data_path(settings).startswith("s3://") else ()
    _install(extra)
    connection = duckdb.connect()
    for name in (*EXTENSIONS, *extra):
        connection.load_extension(name)
    temporary = settings.home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET memory_limit = ?", [MEMORY_LIMIT])
    connection.execute("SET temp_directory = ?", [str(temporary)])
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET enable_progress_bar = false")
    if extra:
        connection.execute("CREATE SECRET (TYPE s3, PROVIDER credential_chain)")
    return connection


def open_lake(settings: Settings, read_only: bool = False, at: datetime | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with the lake attached as `lake` and in use.

    read_only: attached for reading, under the reading role, in a sandbox: no file but the lake's own
        Parquet can be read, nothing written or attached (measured; see tests/warehouse/test_sandbox.py).
    at: the lake as it was then (UTC); implies read_only. Raises LakeMissingError when nothing was ever loaded.
    """
    if read_only or at is not None:
        return _open_sandbox(settings, at)
    if settings.lake_data is None:
        settings.lake_dir.mkdir(parents=True, exist_ok=True)
    connection = connect(settings)
    connection.execute(f"ATTACH {_text(attach_uri(settings))} AS lake (DATA_PATH {_text(data_path(settings))})")
    connection.execute("USE lake")
    return connection


def attach_uri(settings: Settings) -> str:
    """What comes after ATTACH for a writer."""
    return f"ducklake:postgres:{catalog_uri(settings)}"


def _open_sandbox(settings: Settings, at: datetime | None) -> duckdb.DuckDBPyConnection:
    if not (settings.home / "reader.secret").exists():
        raise LakeMissingError("the lake is empty: load something first (gorodok build)")
    connection = connect(settings)
    travel = "" if at is None else f", SNAPSHOT_TIME {_text(at.isoformat())}"
    connection.execute(
        f"ATTACH {_text(f'ducklake:postgres:{reader_uri(settings)}')} AS lake "
        f"(DATA_PATH {_text(data_path(settings))}, READ_ONLY{travel})"
    )
    connection.execute("USE lake")
    connection.execute(f"SET allowed_directories = [{_text(data_path(settings))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def dbt_env(settings: Settings) -> dict[str, str]:
    """Environment that dbt/profiles.yml reads."""
    _install(())
    city = load_city(settings)
    return {
        "GORODOK_LAKE_ATTACH": attach_uri(settings),
        "GORODOK_LAKE_DATA": data_path(settings),
        "GORODOK_PSEUDONYM_KEY": settings.pseudonym_key.get_secret_value(),
        "GORODOK_CITY": settings.city,
        "GORODOK_TZ": os.environ.get("GORODOK_TZ") or city.time_zone,
        "GORODOK_WATER": balance_facts(city),
        "GORODOK_TMP": str(settings.home / "tmp"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def _text(value: str) -> str:
    """A SQL string literal (ATTACH and SET take no parameters)."""
    return "'" + value.replace("'", "''") + "'"
