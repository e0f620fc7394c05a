"""A backup taken while data flow in, restored into an empty home: equal totals, nothing torn."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.settings import Settings
from city_state.read import latest
from city_state.writer import CityStateWriter
from ingest.intake import Intake
from ingest.parcel import Parcel
from warehouse.backup import BackupError, backup, restore
from warehouse.load import load_segments
from warehouse.read import query

START = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = "SELECT count(*) FROM raw.vehicle_position"


def message(number: int) -> bytes:
    moment = START + timedelta(seconds=number)
    return json.dumps(
        {"vehicle_id": f"bus-{number % 20}", "timestamp": moment.isoformat(), "latitude": 57.6, "longitude": 39.9}
    ).encode()


@pytest.mark.fault
@pytest.mark.slow
def test_backup_under_load_restores_equal(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", seal_s=0.2)
    copy = tmp_path / "backup"
    state = CityStateWriter(settings.state_path)
    stop = threading.Event()
    submitted = 0

    def flow() -> None:
        nonlocal submitted
        with Intake(settings, listeners=[state]) as intake:
            while not stop.is_set():
                for _ in range(50):
                    intake.submit(Parcel("vehicle_position", "test", message(submitted)))
                    submitted += 1
                intake.flush()
                intake.seal(older_than_s=0.2)
                stop.wait(0.02)

    flowing = threading.Thread(target=flow)
    flowing.start()
    try:
        stop.wait(2)
        load_segments(settings)
        stop.wait(1)
        before = submitted
        manifest = backup(settings, copy)
        after = submitted
    finally:
        stop.set()
        flowing.join()
    load_segments(settings)
    assert query(settings, COUNT).item() == submitted

    other = Settings(home=tmp_path / "other")
    assert restore(other, copy)["raw_rows"] == manifest["raw_rows"]
    assert query(other, COUNT).item() == manifest["raw_rows"]["vehicle_position"]
    with Intake(other):  # what was in an open log at that moment is recovered like after a crash
        pass
    load_segments(other)
    restored = query(other, COUNT).item()
    assert before - 50 <= restored <= after
    assert latest(other, "vehicle_position").height == 20
    land_on_both = [settings, other]
    for home in land_on_both:
        with Intake(home) as intake:
            intake.submit(Parcel("vehicle_position", "test", message(10**6)))
        load_segments(home)
    assert query(other, COUNT).item() == restored + 1


def test_a_damaged_backup_restores_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with Intake(settings) as intake:
        intake.submit(Parcel("vehicle_position", "test", message(1)))
    load_segments(settings)
    backup(settings, tmp_path / "backup")
    victim = next((tmp_path / "backup" / "lake").rglob("*.parquet"), tmp_path / "backup" / "catalog.sql")
    victim.write_bytes(victim.read_bytes()[:-1])
    other = Settings(home=tmp_path / "other")
    with pytest.raises(BackupError, match="missing or damaged"):
        restore(other, tmp_path / "backup")
    assert not other.lake_dir.exists()


def test_a_backup_goes_into_a_new_folder_only(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "something").touch()
    with pytest.raises(BackupError, match="not empty"):
        backup(Settings(home=tmp_path / "home"), tmp_path / "backup")
