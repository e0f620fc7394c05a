"""Cost of growth: ingest, load, build and page time at 1x, 10x and 100x the data, as a table and a plot.

1x is 30 days of 20 hourly meters and the rest of the small town. Ingest is the intake itself (validation, fsync), in
arrays of 100 readings; page time is the p95 over the ten page queries. At full scale figures and plot go to
docs/img/growth.json and growth.svg. `python -m bench.growth 100` measures one factor alone and draws it beside those
that are known; the goals are told only when one run measured all.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path

from bench.lib.machine import look
from bench.lib.page_queries import page_queries
from bench.lib.table import BenchTable, Goal, Options, quantile, workplace
from bench.lib.year import prepare
from bench.queries import time_query
from city.settings import ROOT, Settings
from ingest.intake import Intake
from ingest.parcel import Parcel
from warehouse.read import query

FACTORS = (1, 10, 100)
METERS, DAYS = 20, 30
EACH, FLUSH = 100, 20
SVG = ROOT / "docs" / "img" / "growth.svg"
KNOWN = SVG.with_suffix(".json")
LINES = ("ingest s", "load s", "build s", "page p95 ms")
COLUMNS = ["factor", "meter readings", *LINES, "lake MiB"]


def run(options: Options) -> BenchTable:
    table = BenchTable("Cost of growth", COLUMNS)
    days = options.days or DAYS
    with workplace(options, "growth") as folder:
        for factor in FACTORS:
            table.rows.append(_measure(folder / str(factor), factor, days, options.scale))
        if options.scale >= 1:
            _keep(table.rows)
        plot(table.rows if options.scale < 1 else _known(), SVG if options.scale >= 1 else folder / "growth.svg")
    first, last = table.rows[0], table.rows[-1]
    grown = last[1] / first[1]
    table.goals = [
        Goal(
            f"{name.rsplit(' ', 1)[0]}: growth of its cost / growth of data", last[at] / first[at] / grown, 1.2, "lower"
        )
        for at, name in enumerate(LINES, start=2)
    ]
    table.notes = [f"{days} days; load and build with the start of their processes"]
    return table


def _measure(folder: Path, factor: int, days: int, scale: float) -> list[float]:
    meters = max(5, round(METERS * factor * scale))
    ingest_s = _ingest(Settings(home=folder / "ingest-home"), meters, days)
    folder.mkdir(parents=True, exist_ok=True)
    settings, year = prepare(folder, Options(meters / 2_000, days, folder))
    last = date.fromisoformat(year.last)
    times: list[float] = []
    for each in page_queries(settings, last - timedelta(days=days - 1), last):
        times += time_query(each, lambda asked, values: query(settings, asked.lake, values).height, runs=15)[1]
    size = sum(path.stat().st_size for path in settings.lake_dir.rglob("*.parquet")) / 2**20
    return [factor, year.meter_rows, ingest_s, year.load_s, year.build_s, quantile(times, 0.95) * 1000, size]


def _ingest(settings: Settings, meters: int, days: int) -> float:
    """Seconds in which the intake makes all readings durable; writing the JSON is not counted."""
    start = date(2026, 1, 1)
    total = meters * 24 * days
    seconds = 0.0
    with Intake(settings) as intake:
        intake.warm_up()
        for first in range(0, total, EACH * FLUSH):
            parcels = [
                Parcel("meter_reading", "bench", _payload(start, meters, at, min(EACH, total - at)))
                for at in range(first, min(first + EACH * FLUSH, total), EACH)
            ]
            clock = time.monotonic()
            for parcel in parcels:
                intake.submit(parcel)
            intake.flush()
            seconds += time.monotonic() - clock
        if intake.totals.rows != total:
            raise RuntimeError(f"{total} readings were submitted and {intake.totals.rows} taken")
    return seconds


def _payload(start: date, meters: int, first: int, count: int) -> bytes:
    readings = []
    for number in range(first, first + count):
        hour, meter = divmod(number, meters)
        moment = start + timedelta(days=hour // 24)
        readings.append(
            {
                "meter_id": f"meter-{meter:05d}",
                "event_time": f"{moment}T{hour % 24:02d}:00:00Z",
                "medium": "cold_water",
                "volume_m3": hour * 0.1,
                "zone_id": "dma-1",
            }
        )
    return json.dumps(readings).encode()


def _known() -> list[list[float]]:
    """Rows measured so far, by factor; each with the machine that measured it in the file."""
    if not KNOWN.exists():
        return []
    return [[row[name] for name in COLUMNS] for row in sorted(json.loads(KNOWN.read_text()), key=lambda r: r["factor"])]


def _keep(rows: list[list[float]]) -> None:
    known = {row["factor"]: row for row in (json.loads(KNOWN.read_text()) if KNOWN.exists() else [])}
    machine = look().as_dict()
    known |= {row[0]: dict(zip(COLUMNS, row, strict=True)) | {"machine": machine} for row in rows}
    KNOWN.parent.mkdir(parents=True, exist_ok=True)
    KNOWN.write_text(json.dumps([known[factor] for factor in sorted(known)], indent=1, default=str) + "\n")


def plot(rows: list[list[float]], path: Path) -> None:
    """Each cost against the number of readings, both axes logarithmic; a dotted line is cost in proportion to data."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams.update({"svg.hashsalt": "gorodok", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, axes = pyplot.subplots(figsize=(7.2, 4.2), layout="constrained")
    readings = [row[1] for row in rows]
    for at, name in enumerate(LINES, start=2):
        in_seconds = [row[at] / (1000 if name.endswith("ms") else 1) for row in rows]
        axes.plot(readings, in_seconds, marker="o", label=name.rsplit(" ", 1)[0])
    axes.plot(
        readings, [rows[-1][2] * each / readings[-1] for each in readings], ":", color="0.6", label="proportional"
    )
    axes.set(xscale="log", yscale="log", xlabel="meter readings", ylabel="seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Measures the factors that are named, in a temporary folder, and draws all that are known."""
    with workplace(Options(), "growth") as folder:
        for factor in (int(text) for text in sys.argv[1:]):
            row = _measure(folder / str(factor), factor, DAYS, 1.0)
            print(dict(zip(COLUMNS, row, strict=True)))
            _keep([row])
    plot(_known(), SVG)


if __name__ == "__main__":
    main()
