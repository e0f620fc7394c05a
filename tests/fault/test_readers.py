"""Four reading processes during loads, a dbt build's worth of writes and maintenance: no error, no stall."""

from __future__ import annotations

import json
import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty

import pytest

from city.settings import Settings
from ingest.intake import Intake
from ingest.parcel import Parcel
from warehouse.load import load_segments
from warehouse.maintenance import maintain

READERS = 4
SECONDS = 60
STALL_S = 3.0
"""Far over what a busy machine adds to p99 (0.1 to 0.3 s alone; `gorodok bench readers` measures it)."""

QUERIES = (
    "SELECT count(*), max(timestamp) FROM raw.vehicle_position",
    "SELECT vehicle_id, count(*), avg(speed_m_s) FROM raw.vehicle_position GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    "SELECT feed, sum(rows) FROM ops.segment GROUP BY 1",
)


def read(home: str, stop: Event, out: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    from warehouse.read import query

    settings = Settings(home=Path(home))
    times: list[float] = []
    errors: list[str] = []
    turn = 0
    while not stop.is_set():
        started = time.monotonic()
        try:
            query(settings, QUERIES[turn % len(QUERIES)])
        except Exception as error:
            errors.append(repr(error))
        times.append(time.monotonic() - started)
        turn += 1
        time.sleep(0.02)
    out.put((times[5:], errors))


def land(settings: Settings, round_number: int) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=round_number)
    rows = [
        {
            "vehicle_id": f"bus-{n % 50}",
            "timestamp": (start + timedelta(milliseconds=n)).isoformat(),
            "latitude": 57.6,
            "longitude": 39.9,
            "speed_m_s": 5.0,
        }
        for n in range(2_000)
    ]
    with Intake(settings) as intake:
        intake.submit(Parcel("vehicle_position", "test", json.dumps(rows).encode()))


@pytest.mark.fault
@pytest.mark.slow
def test_readers_are_never_disturbed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    land(settings, 0)
    load_segments(settings)
    spawn = multiprocessing.get_context("spawn")
    stop, out = spawn.Event(), spawn.Queue()
    readers = [spawn.Process(target=read, args=(str(settings.home), stop, out)) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    loads = merges = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        loads += 1
        land(settings, loads)
        load_segments(settings)
        if loads % 5 == 0:
            maintain(settings, snapshot_days=0, grace="20 seconds")
            merges += 1
    stop.set()
    times: list[float] = []
    errors: list[str] = []
    for _ in readers:
        try:
            more_times, more_errors = out.get(timeout=30)
        except Empty:
            pytest.fail("a reader died")
        times += more_times
        errors += more_errors
    for reader in readers:
        reader.join(30)
    times.sort()
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(f"{len(times)} queries, {loads} loads, {merges} rounds of maintenance; p50 {p50:.3f} s, p99 {p99:.3f} s")
    assert errors == []
    assert loads >= 5
    assert merges >= 1
    assert p99 < STALL_S
