"""gorodok query: read-only SQL on the lake."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import typer

from apps.cli.output import fail, print_json, print_table
from city.settings import settings


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def register(app: typer.Typer) -> None:
    app.command()(query)


def query(
    sql: str = typer.Argument(help="One SELECT, for example: SELECT * FROM marts.mart_kpi_daily"),
    at: str | None = typer.Option(
        None, help="The lake as it was then, RFC 3339, for example 2026-11-24T14:05:00+03:00"
    ),
    format: Format = typer.Option(Format.table, help="csv, json and parquet go to stdout"),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write to this file instead of stdout"),
) -> None:
    """Ask the lake. Nothing can be written, and no file but the lake's own can be read."""
    import duckdb

    from warehouse.lake import LakeMissingError
    from warehouse.read import query as ask

    moment = None if at is None else _moment(at)
    try:
        frame = ask(settings(), sql, at=moment)
    except LakeMissingError as error:
        fail(str(error), code=1)
    except duckdb.Error as error:
        fail(str(error))
    if format is Format.table and output is None:
        print_table(frame.iter_rows(), frame.columns)
        return
    if format is Format.json and output is None:
        print_json(frame.to_dicts())
        return
    content = io.BytesIO()
    if format is Format.json:
        frame.write_json(content)
    elif format is Format.parquet:
        frame.write_parquet(content)
    else:
        frame.write_csv(content)
    if output is not None:
        output.write_bytes(content.getvalue())
    else:
        sys.stdout.buffer.write(content.getvalue())


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at: {text!r} is not a time", "Write it as 2026-11-24T14:05:00+03:00.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
