"""One lake with a ledger in it, for the tests of audit, report and marts: played, landed, loaded, built once."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from city.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))

DAY = "2026-03-05"
START = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The story of ledger_story in raw.ledger_entry; nothing is modelled."""
    import ledger_story

    from warehouse.load import load_segments

    settings = Settings(home=tmp_path_factory.mktemp("told"))
    story = ledger_story.play(settings, START)
    story.ledger.close()
    ledger_story.land(settings, settings.ledger_path)
    load_segments(settings)
    return settings


@pytest.fixture(scope="session")
def modelled(told: Settings) -> Settings:
    """The same lake with the marts of the reflexes."""
    from built import build

    build(told, "run", "--select", "+mart_scenario_run", "+mart_drill_house", "+int_kpi_alerts_day")
    return told
