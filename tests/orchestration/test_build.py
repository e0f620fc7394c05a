"""`gorodok build` on a real lake: what lands is loaded, checked and modelled; a bad batch says no."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.settings import Settings
from ingest.intake import Intake
from ingest.parcel import Parcel
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
