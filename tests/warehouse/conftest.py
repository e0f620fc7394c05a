"""A home of its own for each test, and a way to land rows in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.settings import Settings
from ingest.intake import Intake
from ingest.parcel import Parcel

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def position(number: int, **more: Any) -> dict[str, Any]:
    """One fix of one of ten buses, a second apart."""
    return {
        "vehicle_id": f"bus-{number % 10}",
        "timestamp": (START + timedelta(seconds=number)).isoformat(),
        "latitude": 57.6,
        "longitude": 39.9,
        **more,
    }


Land = Callable[[Iterable[dict[str, Any]]], None]


@pytest.fixture
def land(home: Settings) -> Land:
    def put(rows: Iterable[dict[str, Any]], feed: str = "vehicle_position") -> None:
        with Intake(home) as intake:
            intake.submit(Parcel(feed, "test", json.dumps(list(rows)).encode()))

    return put
