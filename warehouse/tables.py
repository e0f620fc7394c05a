"""The raw and ops tables, made from the contracts; a contract that gains a field gains a column."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from ingest.contracts import CONTRACTS
from ingest.derive.arrow import TIME, landing_schema
from warehouse.register import COLUMNS as DEVICE_COLUMNS

SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts")

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BLOB",
    TIME: "TIMESTAMPTZ",
}

LINEAGE = {"segment": "VARCHAR", "segment_row": "BIGINT"}
"""Which landed file a row came from, and its place in it."""

OPS_TABLES = {
    "segment": {
        "segment": "VARCHAR",
        "feed": "VARCHAR",
        "rows": "BIGINT",
        "duplicates": "BIGINT",
        "conflicts": "BIGINT",
        "bytes": "BIGINT",
        "min_event_at": "TIMESTAMPTZ",
        "max_event_at": "TIMESTAMPTZ",
        "loaded_at": "TIMESTAMPTZ",
    },
    "conflict": {
        "feed": "VARCHAR",
        "key": "VARCHAR",
        "segment": "VARCHAR",
        "segment_row": "BIGINT",
        "row": "VARCHAR",
        "noticed_at": "TIMESTAMPTZ",
    },
    "device": DEVICE_COLUMNS,
}


def raw_columns(feed: str) -> dict[str, str]:
    """Column → SQL type of raw.<feed>, in order."""
    own = {field.name: _SQL_TYPES[field.type] for field in landing_schema(feed)}
    return own | LINEAGE


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    """Makes what is missing; True when anything was made. Never drops: old segments keep their columns."""
    have = _existing(connection)
    made = False
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS lake.{schema}")
    for feed in CONTRACTS:
        made |= _ensure(connection, "raw", feed, raw_columns(feed), have, partitioned=True)
    for table, columns in OPS_TABLES.items():
        made |= _ensure(connection, "ops", table, columns, have, partitioned=False)
    return made


def _existing(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], set[str]]:
    rows = connection.execute(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = 'lake' AND schema_name IN ('raw', 'ops')"
    ).fetchall()
    have: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in rows:
        have.setdefault((schema, table), set()).add(column)
    return have


def _ensure(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    table: str,
    columns: dict[str, str],
    have: dict[tuple[str, str], set[str]],
    partitioned: bool,
) -> bool:
    name = f'lake.{schema}."{table}"'
    if (schema, table) not in have:
        listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        connection.execute(f"CREATE TABLE {name} ({listed})")
        if partitioned:
            connection.execute(
                f"ALTER TABLE {name} SET PARTITIONED BY (year(event_at), month(event_at), day(event_at))"
            )
        return True
    missing = {column: kind for column, kind in columns.items() if column not in have[schema, table]}
    for column, kind in missing.items():
        connection.execute(f'ALTER TABLE {name} ADD COLUMN "{column}" {kind}')
    return bool(missing)
