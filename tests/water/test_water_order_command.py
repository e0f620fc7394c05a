"""`gorodok water order`: from the city state to landed messages of incident and work_order."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from apps.cli.main import app
from city.settings import Settings, settings
from city_state.writer import CityStateWriter
from ingest.contracts.leak_finding import LeakFinding
from ingest.derive.arrow import to_batch

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A city state with one open finding and a closed one."""
    monkeypatch.setenv("GORODOK_HOME", str(tmp_path))
    settings.cache_clear()
    found = settings()
    state = CityStateWriter(found.state_path)
    told = {"event_time": AT, "zone_id": "dma-2", "pipe": "p227", "first_seen": AT, "flow_m3_h": 6.0, "confidence": 0.9}
    models = [
        LeakFinding(finding_id="f1", status="open", **told),
        LeakFinding(finding_id="f2", status="closed", **told),
    ]
    state("leak_finding", models, to_batch("leak_finding", models, [AT, AT], ["test", "test"]))
    state.close()
    yield found
    settings.cache_clear()


def test_one_press_lands_an_order_and_its_incident(home: Settings) -> None:
    done = CliRunner().invoke(app, ["water", "order", "f1", "--contractor", "crew-1", "--via", "landing", "--json"])
    assert done.exit_code == 0, done.output
    order = json.loads(done.output)
    assert (order["kind"], order["contractor"], order["finding_id"]) == ("leak_repair", "crew-1", "f1")
    [incident] = pl.read_parquet(home.landing_dir / "incident" / "sealed" / "*.parquet").to_dicts()
    assert (incident["kind"], incident["severity"]) == ("water_leak", "critical")
    assert incident["incident_id"] == order["incident_id"]
    [landed] = pl.read_parquet(home.landing_dir / "work_order" / "sealed" / "*.parquet").to_dicts()
    assert landed["order_id"] == "leak:f1"


@pytest.mark.parametrize("finding", ["f2", "f3"])
def test_no_open_finding_no_order(home: Settings, finding: str) -> None:
    done = CliRunner().invoke(app, ["water", "order", finding, "--contractor", "c", "--via", "landing"])
    assert done.exit_code == 1
    assert not (home.landing_dir / "work_order").exists()
