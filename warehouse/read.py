"""The read side for pages, CLI and reports: one sandboxed connection a process, polars frames out."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from city.settings import Settings
from warehouse.lake import open_lake

_open: dict[tuple[int, str], duckdb.DuckDBPyConnection] = {}
_opening = threading.Lock()


def query(settings: Settings, sql: str, params: Sequence[Any] = (), at: datetime | None = None) -> pl.DataFrame:
    """Rows of one SELECT, read-only and sandboxed. `at` travels in time.

    Raises duckdb.Error for wrong SQL or forbidden access, warehouse.lake.LakeMissingError before the first load.
    """
    if at is not None:
        with open_lake(settings, at=at) as connection:
            return _frame(connection, sql, params)
    with _shared(settings).cursor() as cursor:
        cursor.execute("USE lake")
        return _frame(cursor, sql, params)


def _frame(connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any]) -> pl.DataFrame:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise duckdb.InvalidInputException(f"one statement at a time, got {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        # DuckDB's allowed_directories let COPY write there too: over the lake's own Parquet
        kind = statements[0].type.name
        raise duckdb.InvalidInputException(f"only SELECT can be asked of the lake, not {kind}")
    result = connection.execute(statements[0], list(params))
    return result.pl() if result.description else pl.DataFrame()


def _shared(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Attaching costs 0.2 s: a process does it once (and again after a fork)."""
    key = (os.getpid(), str(settings.home))
    with _opening:
        if key not in _open:
            _open[key] = open_lake(settings, read_only=True)
        return _open[key]
