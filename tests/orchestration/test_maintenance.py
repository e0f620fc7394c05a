"""The nightly job on a lake with small files and old snapshots, while a reader reads."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from city.settings import Settings
from ingest.intake import Intake
from ingest.parcel import Parcel
from orchestration.defs import maintenance
from orchestration.lib.keys import LAKE_RUN
from warehouse.catalog import catalog_uri
from warehouse.lake import open_lake
from warehouse.load import load_segments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LOADS, EACH = 6, 40


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake of many small files."""
    found = Settings(home=tmp_path_factory.mktemp("home"))
    for number in range(LOADS):
        land(found, number)
        load_segments(found)
    return found


def land(settings: Settings, number: int) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=number)
    rows = [
        {
            "vehicle_id": f"bus-{n}",
            "timestamp": (start + timedelta(seconds=n)).isoformat(),
            "latitude": 57.6,
            "longitude": 39.9,
        }
        for n in range(EACH)
    ]
    with Intake(settings, writer="test") as intake:
        intake.submit(Parcel("vehicle_position", "test", json.dumps(rows).encode()))


def files(settings: Settings) -> set[Path]:
    return set((settings.lake_dir / "raw" / "vehicle_position").rglob("*.parquet"))


def age_history(settings: Settings, days: int) -> None:
    """Snapshots, and files that wait to be deleted, as if they had been made so long ago: the newest snapshot not."""
    with psycopg.connect(catalog_uri(settings), autocommit=True) as catalog:
        catalog.execute(
            "UPDATE ducklake_snapshot SET snapshot_time = snapshot_time - make_interval(days => %s) "
            "WHERE snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshot)",
            [days],
        )
        catalog.execute(
            "UPDATE ducklake_files_scheduled_for_deletion "
            "SET schedule_start = schedule_start - make_interval(days => %s)",
            [days],
        )


def run_job(settings: Settings) -> dict[str, float]:
    """As Dagster runs it; gives what the step told of itself."""
    job = maintenance.definitions(settings).resolve_job_def(maintenance.JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=LAKE_RUN)
        assert result.success
        (told,) = [
            event.step_output_data.metadata
            for event in result.all_node_events
            if event.is_successful_output and event.node_name == "maintain_lake_files"
        ]
    return {name: value.value for name, value in told.items()}


class Reader:
    """Counts rows over and over, by new connections and by one that was open before the job."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.counts, self.errors = settings, list[int](), list[str]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _read(self) -> None:
        sql = "SELECT count(*), max(timestamp) FROM raw.vehicle_position"
        try:
            with closing(open_lake(self.settings, read_only=True)) as lake:
                while not self._stop.is_set():
                    self.counts.append(lake.execute(sql).fetchall()[0][0])
        except Exception as error:
            self.errors.append(repr(error))


def test_the_job_merges_and_forgets_while_a_reader_reads(settings: Settings) -> None:
    before = files(settings)
    assert len(before) == LOADS
    age_history(settings, settings.snapshot_days + 1)
    with open_lake(settings, read_only=True) as old, Reader(settings) as reader:
        # a long query of a page: its snapshot is older than the job
        old.execute("BEGIN")
        total = old.execute("SELECT count(*) FROM raw.vehicle_position").fetchall()[0][0]
        first = run_job(settings)
        assert first["merged_files"] > 0
        assert first["expired_snapshots"] >= LOADS - 1
        assert first["deleted_files"] == 0  # what nothing points to waits an hour for readers
        assert before <= files(settings)
        assert old.execute("SELECT count(DISTINCT timestamp) FROM raw.vehicle_position").fetchall()[0][0] > 0
        old.execute("COMMIT")
        age_history(settings, 1)
        second = run_job(settings)
        assert second["deleted_files"] >= LOADS
        assert not before & files(settings)
    assert reader.errors == []
    assert set(reader.counts) == {total}
    assert total == LOADS * EACH
    with open_lake(settings) as lake:
        assert len(lake.execute("FROM ducklake_snapshots('lake')").fetchall()) < LOADS


def test_old_runs_of_dagster_go_with_it(tmp_path: Path) -> None:
    from orchestration.lib.runs import delete_old_runs

    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
        instance.report_run_canceled(instance.get_run_by_id(run.run_id))  # type: ignore[arg-type]
        now = datetime.now(UTC)
        assert delete_old_runs(instance, now) == 0
        assert delete_old_runs(instance, now + timedelta(days=15)) == 1
