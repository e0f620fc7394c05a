"""Readers beside writers: four processes ask the pages' queries for a minute during loads, dbt builds and maintenance.

Each reader asks the ten queries of bench/lib/page_queries.py in turn with a pause of 20 ms, as pages do. On two cores
four readers and a writer wait for a processor too: that is in the times.
"""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np

from bench.lib import steps
from bench.lib.page_queries import page_queries
from bench.lib.table import BenchTable, Goal, Options, quantile, workplace
from bench.lib.town import SEED, Town, meter_day, write_segment, yesterday
from bench.lib.year import prepare
from city.settings import Settings
from warehouse.load import load_segments
from warehouse.maintenance import maintain
from warehouse.read import query

READERS, SECONDS, PAUSE_S = 4, 60, 0.02
DAYS = 30
WARM = 10
"""Queries of each reader that are not counted: it attaches the lake and reads its first files."""


@dataclass(slots=True)
class Work:
    """What the writers did meanwhile."""

    loads: int = 0
    rows: int = 0
    builds: int = 0
    maintenances: int = 0
    faults: list[str] = field(default_factory=list)


def run(options: Options) -> BenchTable:
    table = BenchTable(
        "Four readers during loads, dbt build and maintenance",
        [
            "seconds",
            "queries",
            "errors",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "worst ms",
            "loads",
            "dbt builds",
            "maintenances",
        ],
    )
    sized = Options(options.scale, options.days or DAYS, options.home)
    with workplace(options, "readers") as folder:
        settings, year = prepare(folder, sized)
        seconds = max(10.0, SECONDS * min(1.0, options.scale))
        last = date.fromisoformat(year.last)
        alone, errors = _read(settings, last - timedelta(days=year.days - 1), last, min(10.0, seconds), lambda _: None)
        town = Town(year.meters, year.days, yesterday())
        work = Work()
        times, more = _read(
            settings, last - timedelta(days=year.days - 1), last, seconds, lambda end: _write(settings, town, end, work)
        )
        (settings.home / "bench-year.json").unlink()
    errors += more
    table.rows = [
        [seconds, len(times), len(more), *_ms(times), work.loads, work.builds, work.maintenances],
        [min(10.0, seconds), len(alone), len(errors) - len(more), *_ms(alone), 0, 0, 0],
    ]
    table.goals = [
        Goal("errors of readers and writers", float(len(errors) + len(work.faults)), 0, "lower"),
        Goal("p99 of a query, ms", quantile(times, 0.99) * 1000, 300, "lower"),
    ]
    table.notes = [
        f"{year.rows:,} rows in the lake at the start, {work.rows:,} loaded meanwhile",
        "second row: the same without writers",
        *[f"error: {error}" for error in (errors + work.faults)[:5]],
    ]
    return table


def _ms(times: list[float]) -> list[float]:
    return [quantile(times, share) * 1000 for share in (0.5, 0.95, 0.99, 1.0)]


def _read(
    settings: Settings, first: date, last: date, seconds: float, meanwhile: Callable[[float], None]
) -> tuple[list[float], list[str]]:
    """Times and errors of all readers while `meanwhile(end)` works until `end`."""
    spawn = multiprocessing.get_context("spawn")
    go, stop, out = spawn.Semaphore(0), spawn.Event(), spawn.Queue()
    readers = [
        spawn.Process(target=_reader, args=(str(settings.home), first, last, number, go, stop, out), daemon=True)
        for number in range(READERS)
    ]
    for reader in readers:
        reader.start()
    try:
        for _ in readers:
            if not go.acquire(timeout=120):
                raise RuntimeError("a reader did not start")
        end = time.monotonic() + seconds
        meanwhile(end)
        time.sleep(max(0.0, end - time.monotonic()))
        stop.set()
        times: list[float] = []
        errors: list[str] = []
        for _ in readers:
            try:
                more_times, more_errors = out.get(timeout=60)
            except Empty:
                raise RuntimeError("a reader died") from None
            times += more_times
            errors += more_errors
        return times, errors
    finally:
        for reader in readers:
            reader.join(5)
            reader.kill()


def _reader(home: str, first: date, last: date, number: int, go: Any, stop: Event, out: Queue[Any]) -> None:
    settings = Settings(home=Path(home))
    asked = page_queries(settings, first, last)
    chance = random.Random(number)
    times: list[float] = []
    errors: list[str] = []
    turn = 0
    while not stop.is_set():
        each = asked[turn % len(asked)]
        clock = time.perf_counter()
        try:
            query(settings, each.lake, each.parameters(chance))
        except Exception as error:
            errors.append(f"{each.name}: {error}")
        if turn >= WARM:
            times.append(time.perf_counter() - clock)
        turn += 1
        if turn == WARM:
            go.release()
        time.sleep(PAUSE_S)
    out.put((times, errors))


def _write(settings: Settings, town: Town, end: float, work: Work) -> None:
    """Loads a day of readings again and again, with a maintenance each fifth time; dbt beside, over and over."""
    builder = threading.Thread(target=_build, args=(settings, end, work))
    builder.start()
    rng = np.random.default_rng(SEED)
    while time.monotonic() < end:
        frame, _, _ = meter_day(town, town.day(town.days + work.loads), np.full(town.meters, 5_000.0), rng)
        write_segment(settings, "meter_reading", frame)
        try:
            work.rows += sum(report.rows for report in load_segments(settings))
            work.loads += 1
            if work.loads % 5 == 0:
                maintain(settings, snapshot_days=0, grace="20 seconds")
                work.maintenances += 1
        except Exception as error:
            work.faults.append(f"writer: {error}")
        time.sleep(1)
    builder.join()


def _build(settings: Settings, end: float, work: Work) -> None:
    while time.monotonic() < end:
        try:
            steps.dbt_build(settings)
            work.builds += 1
        except Exception as error:
            work.faults.append(f"dbt: {error}")
