"""The listener beside the gateway: rows in, `meter_flag` messages out, valid by their contract; restart; overload."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.cli import meter_watch
from apps.cli.meter_watch import MeterWatch
from city.settings import Settings
from city.water import WaterPlan
from ingest.contracts import CONTRACTS, Contract
from ingest.decode import Decoder
from ingest.derive.arrow import to_batch
from ingest.intake import Intake
from ingest.parcel import Parcel

START = datetime(2026, 3, 1, tzinfo=UTC)


def models(feed: str, rows: Sequence[dict[str, Any]]) -> list[Contract]:
    return [CONTRACTS[feed].model_validate_json(json.dumps(row)) for row in rows]


def reading(hour: int, value: float, meter: str = "wm-1") -> dict[str, Any]:
    at = (START + timedelta(hours=hour)).isoformat()
    return {
        "meter_id": meter,
        "event_time": at,
        "medium": "cold_water",
        "volume_m3": value,
        "house_id": "h",
        "zone_id": "z",
    }


def give(watch: MeterWatch, feed: str, rows: Sequence[dict[str, Any]]) -> None:
    made = models(feed, rows)
    received = [getattr(model, CONTRACTS[feed].spec.event_time) + timedelta(seconds=1) for model in made]
    watch(feed, made, to_batch(feed, made, received, ["test"] * len(made)))


class Outlet:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, parcel: Parcel) -> None:
        decoded = Decoder(CONTRACTS[parcel.feed]).decode(parcel.payload)
        assert not decoded.rejects, decoded.rejects[0]
        self.rows += [model.model_dump() for model in decoded.good]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["status"]) for row in self.rows]


def test_flags_are_messages_of_the_contract_and_survive_a_restart(tmp_path: Path) -> None:
    outlet, path = Outlet(), tmp_path / "checks.npz"
    watch = MeterWatch(path, WaterPlan())
    watch.start(outlet)
    power = {"meter_id": "em", "event_time": START.isoformat(), "medium": "electricity", "energy_kwh": 3.0}
    give(watch, "meter_reading", [reading(0, 100), power, reading(1, 100.1), reading(2, 100_200.0)])
    give(watch, "scada_reading", [])
    watch.stop()
    assert outlet.told == [("unit_error", "raised")]
    assert outlet.rows[0]["meter_id"] == "wm-1"
    assert (outlet.rows[0]["house_id"], outlet.rows[0]["before_m3"]) == ("h", 100.1)
    assert "1000 раз" in outlet.rows[0]["reason_ru"]
    again = MeterWatch(path, WaterPlan())
    again.start(outlet)
    give(again, "meter_reading", [reading(3, 100.3)])
    visit = {"visit_id": "v1", "event_time": START.isoformat(), "meter_id": "wm-1", "house_id": "h", "result": "dead"}
    give(again, "meter_visit", [visit, {**visit, "visit_id": "v2", "meter_id": None}])
    again.stop()
    assert outlet.told[1:] == [("unit_error", "cleared"), ("dead", "raised")]


def test_an_odd_batch_does_not_end_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outlet = Outlet()
    watch = MeterWatch(tmp_path / "checks.npz", WaterPlan())
    real, calls = watch._checks.step, []

    def step(readings: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("odd")
        return real(readings)

    monkeypatch.setattr(watch._checks, "step", step)
    watch.start(outlet)
    give(watch, "meter_reading", [reading(0, 1)])
    give(watch, "meter_reading", [reading(0, 1), reading(1, 900)])
    watch.stop()
    assert outlet.told == [("rate_high", "raised")]


def test_a_watch_that_lags_leaves_out_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_watch, "BACKLOG", 1)
    watch = MeterWatch(tmp_path / "checks.npz", WaterPlan())  # not started: everything waits
    for hour in range(4):
        give(watch, "meter_reading", [reading(hour, 1)])
    assert watch.left_out == 2
    watch.stop()


def test_with_the_intake_flags_are_landed(tmp_path: Path) -> None:
    """The real path: submit, flush, the watch submits in turn, and the last flush lands it before the close."""
    settings = Settings(home=tmp_path)
    watch = MeterWatch(tmp_path / "checks.npz", WaterPlan())
    with Intake(settings, writer="test", listeners=[watch]) as intake:
        watch.start(intake.submit)
        payload = json.dumps([reading(0, 100), reading(1, 20_000)]).encode()
        intake.submit(Parcel("meter_reading", "test", payload))
        intake.flush()
        watch.stop()
        intake.flush()
        assert intake.totals.rows_by_feed["meter_flag"] == 1
        assert intake.totals.quarantined == 0
