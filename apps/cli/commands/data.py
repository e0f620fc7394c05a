"""gorodok backup, restore, export, maintain: the lake's housekeeping."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from apps.cli.output import err, fail, print_json, print_table
from city.settings import settings

AS_JSON = typer.Option(False, "--json", help="Machine-readable")


def register(app: typer.Typer) -> None:
    for command in (backup, restore, export, maintain):
        app.command()(command)


def backup(folder: Path = typer.Argument(help="A new folder"), as_json: bool = AS_JSON) -> None:
    """Copy catalog, Parquet, landing and state while data flow in."""
    from warehouse.backup import BackupError
    from warehouse.backup import backup as make

    try:
        with err.status("copying…"):
            manifest = make(settings(), folder)
    except BackupError as error:
        fail(str(error))
    _say(manifest["raw_rows"], as_json, f"backup in {folder}, {len(manifest['sha256'])} files")


def restore(folder: Path = typer.Argument(help="A backup"), as_json: bool = AS_JSON) -> None:
    """Fill an empty GORODOK_HOME from a backup and compare the totals."""
    from warehouse.backup import BackupError
    from warehouse.backup import restore as fill

    try:
        with err.status("restoring…"):
            manifest = fill(settings(), folder)
    except BackupError as error:
        fail(str(error))
    _say(manifest["raw_rows"], as_json, f"restored to {settings().home}; totals equal the backup's")


def export(
    mart: str = typer.Argument(help="For example mart_kpi_daily"),
    file: Path = typer.Argument(help="The ending says the format: .parquet (GeoParquet), .csv, .xlsx"),
) -> None:
    """Write a mart to a file for somebody without the lake."""
    from warehouse.export import ExportError, export_mart
    from warehouse.lake import LakeMissingError

    try:
        rows = export_mart(settings(), mart, file)
    except (ExportError, LakeMissingError) as error:
        fail(str(error))
    err.print(f"{rows} rows to {file}")


def maintain(as_json: bool = AS_JSON) -> None:
    """Merge small files, expire old snapshots, delete what nothing uses (Dagster does it nightly)."""
    from warehouse.maintenance import maintain as run

    with err.status("maintaining…"):
        report = asdict(run(settings()))
    _say(report, as_json, "maintained")


def _say(values: dict[str, int], as_json: bool, headline: str) -> None:
    if as_json:
        print_json(values)
        return
    err.print(headline)
    print_table(values.items(), ["", "count"])
