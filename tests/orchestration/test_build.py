"""`gorodok build` on a real lake: what lands is loaded, checked and modelled; a bad batch says no."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.derive.arrow import to_batch
from ingest.intake import Intake
from ingest.landing.segments import new_segment_name
from ingest.parcel import Parcel
from orchestration.lib import freshness
from orchestration.once import SelectionError, build_once
from warehouse.read import query

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


def land(settings: Settings, buses: int) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "vehicle_id": f"bus-{bus}",
            "timestamp": (now - timedelta(seconds=10 * step)).isoformat(),
            "latitude": 57.6 + step * 1e-4,
            "longitude": 39.9,
            "route_id": "1",
        }
        for bus in range(buses)
        for step in range(20)
    ]
    with Intake(settings, writer="test") as intake:
        intake.submit(Parcel("vehicle_position", "test", json.dumps(rows).encode()))
        intake.flush()
        intake.seal()


def land_long_ago(settings: Settings, received_at: datetime) -> None:
    """A segment that a gateway sealed then."""
    reading = CONTRACTS["scada_reading"].model_validate(
        {"sensor_id": "inlet-1", "event_time": received_at, "quantity": "flow_m3_h", "value": 1.0}
    )
    batch = to_batch("scada_reading", [reading], [received_at], ["test"])
    folder = settings.landing_dir / "scada_reading" / "sealed"
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / f"{new_segment_name('scada_reading')}.parquet", batch.schema) as writer:
        writer.write_batch(batch)


def test_a_first_build_makes_the_whole_lake_and_the_next_one_changes_nothing(settings: Settings) -> None:
    land(settings, buses=5)
    told: list[str] = []
    first = build_once(settings, on_progress=told.append)
    assert (first.errors, first.checks_failed, first.ok) == ([], [], True)
    assert first.assets["raw/vehicle_position"]["rows"] == 100
    assert "marts/mart_kpi_daily" in told
    assert query(settings, "SELECT sum(fixes) AS fixes FROM marts.mart_vehicle_day").item() == 100
    second = build_once(settings, "vehicle_position")
    assert second.ok
    assert second.assets["raw/vehicle_position"]["rows"] == 0
    assert query(settings, "SELECT sum(fixes) AS fixes FROM marts.mart_vehicle_day").item() == 100


def test_a_silent_feed_is_stale_after_a_build(settings: Settings) -> None:
    """The build materialises the raw table of a silent feed too; the check looks at the newest row.

    Then the sensor tells it without a run.
    """
    now = datetime.now(UTC)
    land_long_ago(settings, now - timedelta(hours=2))
    land(settings, buses=1)
    two = 'key:"raw/scada_reading" or key:"raw/vehicle_position"'
    for rows in (1, 0):  # the second time it is materialised without news, and is still stale
        report = build_once(settings, two)
        assert report.ok
        assert report.assets["raw/scada_reading"]["rows"] == rows
        assert [(each.asset, each.check, each.severity) for each in report.checks_failed] == [
            ("raw/scada_reading", "fresh", "WARN")
        ]
    told, known = freshness.changes(settings, freshness.Verdicts(), now)
    assert {each.asset_key.path[-1] for each in told if not each.passed} == {"scada_reading"}
    assert freshness.changes(settings, known, now)[0] == []
    later = now + freshness.bound(settings, "vehicle_position") + timedelta(minutes=1)
    told, _ = freshness.changes(settings, known, later)
    assert [(each.asset_key, each.passed) for each in told] == [(dg.AssetKey(["raw", "vehicle_position"]), False)]


def test_a_selection_that_names_nothing_says_what_could_be_named(settings: Settings) -> None:
    with pytest.raises(SelectionError, match="vehicle_position"):
        build_once(settings, "no_such_feed")


def test_a_batch_that_breaks_the_contract_fails_the_build(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite is made stricter, because nothing that the gateway lets through breaks the real one."""
    from ingest.quality import check, suite

    strict = json.loads(suite.suite_text("vehicle_position"))
    strict["expectations"].append(
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "latitude", "max_value": 10},
            "severity": "critical",
        }
    )
    path = Path(settings.home / "strict.json")
    path.write_text(json.dumps(strict))
    monkeypatch.setattr(check, "suite_path", lambda _: path)
    land(settings, buses=2)
    report = build_once(settings, "raw/vehicle_position")
    assert not report.ok
    assert report.errors == []
    assert [(each.asset, each.severity) for each in report.checks_failed] == [("raw/vehicle_position", "ERROR")]
    assert "latitude" in report.checks_failed[0].description
