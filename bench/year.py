"""A year of 2,000 hourly meters (17.5 M rows) and the rest of a small town: load, then `gorodok build`.

Segments are made by columns, in the gateway's own format (that time is shown and not counted). The build is the whole
of it: Dagster in process, Great Expectations, dbt's models and tests. Memory is that of the process and its children.
`--days` tries it small; with `--home` the lake stays and `gorodok bench queries --home` uses it.
"""

from __future__ import annotations

from bench.lib.table import BenchTable, Goal, Options, workplace
from bench.lib.year import prepare

GIB = 2**30


def run(options: Options) -> BenchTable:
    table = BenchTable("A year of a small town", ["step", "rows", "seconds", "rows/s", "peak GiB"])
    with workplace(options, "year") as folder:
        _, year = prepare(folder, options)
    table.rows = [
        [f"make segments ({year.landed_bytes / GIB:.2f} GiB, not counted)", year.rows, year.generate_s,
         year.rows / year.generate_s, None],
        ["load", year.rows, year.load_s, year.rows / year.load_s, year.load_peak_bytes / GIB],
        ["gorodok build", year.rows, year.build_s, year.rows / year.build_s, year.build_peak_bytes / GIB],
    ]  # fmt: skip
    table.goals = [
        Goal("load and build, minutes", (year.load_s + year.build_s) / 60, 10, "lower"),
        Goal("peak memory, GiB", max(year.load_peak_bytes, year.build_peak_bytes) / GIB, 4, "lower"),
    ]
    failed = ", ".join(year.checks_failed) or "none"
    table.notes = [
        f"{year.meters} meters over {year.days} days: {year.meter_rows:,} of the rows are meter readings",
        f"{year.checks_passed} checks passed; failed: {failed}",
    ]
    return table
