"""The ten queries behind the pages on a year of data, in the lake and in PostgreSQL with indexes.

The lake is asked as a page asks it (warehouse.read, sandboxed, to a polars frame), PostgreSQL through psycopg, rows
fetched, statements prepared after the fifth call. One process asks, each query 40 times with drawn parameters; the
first three calls of each are not counted. PostgreSQL has the tables that the queries read, copied from the lake, the
indexes of bench/lib/page_queries.py and after VACUUM ANALYZE. Where it is not installed its columns are empty.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

import psycopg

from bench.lib import postgres
from bench.lib.page_queries import INDEXES, TABLES, PageQuery, page_queries
from bench.lib.table import BenchTable, Goal, Options, quantile, workplace
from bench.lib.year import prepare
from city.settings import Settings
from warehouse.lake import open_lake
from warehouse.read import query

RUNS, WARM = 40, 3
SEED = 7

Ask = Callable[[PageQuery, tuple[Any, ...]], int]


def run(options: Options) -> BenchTable:
    table = BenchTable(
        "Ten page queries",
        ["query", "page", "rows", "lake p50 ms", "lake p95 ms", "PostgreSQL p50 ms", "PostgreSQL p95 ms", "p50 ratio"],
    )
    with workplace(options, "queries") as folder:
        settings, year = prepare(folder, options)
        last = date.fromisoformat(year.last)
        asked = page_queries(settings, last - timedelta(days=year.days - 1), last)
        lake = [time_query(each, lambda query_, values: _ask_lake(settings, query_, values)) for each in asked]
        other, note = _in_postgres(settings, asked)
    for each, (rows, ours), theirs in zip(asked, lake, other, strict=True):
        table.rows.append([each.name, each.page, rows, *_ms(ours), *_compared(ours, theirs)])
    everything = [seconds for _, times in lake for seconds in times]
    table.goals = [
        Goal("p95 over all ten queries, ms", quantile(everything, 0.95) * 1000, 200, "lower"),
        Goal("p95 of the slowest query, ms", max(quantile(times, 0.95) for _, times in lake) * 1000, 200, "lower"),
    ]
    table.notes = [f"{year.rows:,} rows in the lake, {year.days} days of {year.meters} meters", note]
    table.notes.append("ratio: the lake's p50 / PostgreSQL's p50; below 1 the lake is faster")
    return table


def time_query(asked: PageQuery, ask: Ask, runs: int = RUNS) -> tuple[int, list[float]]:
    """(rows of the last answer, seconds of each counted call)."""
    chance = random.Random(SEED)
    rows, times = 0, []
    for turn in range(WARM + runs):
        values = asked.parameters(chance)
        clock = time.perf_counter()
        rows = ask(asked, values)
        if turn >= WARM:
            times.append(time.perf_counter() - clock)
    return rows, times


def _ask_lake(settings: Settings, asked: PageQuery, values: tuple[Any, ...]) -> int:
    return query(settings, asked.lake, values).height


def _in_postgres(settings: Settings, asked: Sequence[PageQuery]) -> tuple[list[list[float] | None], str]:
    """Times of each query, and a note on the copy; Nones where PostgreSQL is not installed."""
    try:
        with postgres.cluster() as uri:
            clock = time.monotonic()
            _copy(settings, uri)
            note = f"copying {len(TABLES)} tables to PostgreSQL and indexing them took {time.monotonic() - clock:.0f} s"
            with psycopg.connect(uri, autocommit=True) as connection:

                def ask(each: PageQuery, values: tuple[Any, ...]) -> int:
                    return len(connection.execute(each.postgres.encode(), values).fetchall())

                version = connection.info.server_version // 10_000
                return [time_query(each, ask)[1] for each in asked], f"PostgreSQL {version}; {note}"
    except FileNotFoundError as error:
        return [None] * len(asked), str(error)


def _copy(settings: Settings, uri: str) -> None:
    with open_lake(settings) as lake:
        lake.execute(f"ATTACH '{uri}' AS other (TYPE postgres)")
        for schema in sorted({table.partition(".")[0] for table in TABLES}):
            lake.execute(f"CREATE SCHEMA other.{schema}")
        for table in TABLES:
            lake.execute(f"CREATE TABLE other.{table} AS FROM lake.{table}")
    with psycopg.connect(uri, autocommit=True) as connection:
        for index in INDEXES:
            connection.execute(index.encode())
        connection.execute("VACUUM ANALYZE")


def _ms(times: Sequence[float]) -> list[float]:
    return [median(times) * 1000, quantile(times, 0.95) * 1000]


def _compared(ours: Sequence[float], theirs: Sequence[float] | None) -> list[float | None]:
    if theirs is None:
        return [None, None, None]
    return [*_ms(theirs), median(ours) / median(theirs)]
