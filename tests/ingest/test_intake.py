"""The intake: good rows, refused items with their bytes, acknowledgements only after durability, outcome rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from city.settings import Settings
from ingest.intake import Intake, quarantine_id
from ingest.parcel import Parcel, Refusal


def fix(number: int, **more: Any) -> dict[str, Any]:
    moment = datetime.now(UTC) - timedelta(seconds=number)
    return {"vehicle_id": f"bus-{number}", "timestamp": moment.isoformat(), "latitude": 57.6, "longitude": 39.9, **more}


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, max_payload_kb=1)


def landed(settings: Settings, feed: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in (settings.landing_dir / feed / "sealed").glob("*.parquet")])


def test_bad_items_of_a_batch_do_not_hinder_the_good_ones(home: Settings) -> None:
    bad = b'{"vehicle_id": "x",  "latitude": 1e9}'
    payload = b"[" + json.dumps(fix(1)).encode() + b" , " + bad + b",\n" + json.dumps(fix(2)).encode() + b"]"
    with Intake(home) as intake:
        intake.submit(Parcel("vehicle_position", "topic", payload))
    assert sorted(landed(home, "vehicle_position")["vehicle_id"]) == ["bus-1", "bus-2"]
    refused = landed(home, "quarantine").row(0, named=True)
    assert refused["payload"] == bad, "the original bytes of the item, space for space"
    assert refused["feed"] == "vehicle_position"
    assert "timestamp" in refused["reason"]


@pytest.mark.parametrize(
    ("payload", "field", "says"),
    [
        (b"", None, "Invalid JSON"),
        (b"\xff\xfe", None, "Invalid JSON"),
        (b"[[[[", None, "Invalid JSON"),
        (b"[" * 100_000, None, "over the limit"),
        (b"null", None, "should be"),
        (json.dumps(fix(1, latitude=91)).encode(), "latitude", "less than or equal to 90"),
        (json.dumps(fix(1, latitude="57")).encode(), "latitude", "valid number"),
        (json.dumps(fix(1, stranger=1)).encode(), "stranger", "add it to the contract"),
        (json.dumps(fix(1) | {"timestamp": "2026-11-24T12:00:00"}).encode(), "timestamp", "timezone"),
        (json.dumps(fix(1) | {"timestamp": "0001-01-01T00:00:00+14:00"}).encode(), "timestamp", "greater"),
        (json.dumps(fix(1, bearing_deg=float("nan"))).encode(), None, ""),
    ],
)
def test_each_fault_is_told_by_field_and_reason(home: Settings, payload: bytes, field: str | None, says: str) -> None:
    with Intake(home) as intake:
        intake.submit(Parcel("vehicle_position", "topic", payload))
    refused = landed(home, "quarantine").row(0, named=True)
    assert refused["payload"] == payload
    assert says in refused["reason"]
    if field is not None:
        assert refused["field"] == field


def test_an_unknown_feed_is_refused_with_the_known_ones(home: Settings) -> None:
    with Intake(home) as intake:
        intake.submit(Parcel("weather", "gorodok/v1/x/weather/1", b"{}"))
    refused = landed(home, "quarantine").row(0, named=True)
    assert refused["feed"] == "unknown"
    assert "vehicle_position" in refused["reason"]


def test_what_an_adapter_refused_keeps_its_bytes_and_reason(home: Settings) -> None:
    with Intake(home) as intake:
        intake.submit(Refusal("alert", "cap/folder", b"<xml", "no XML", field="alert", value="<xml"))
    refused = landed(home, "quarantine").row(0, named=True)
    assert (refused["reason"], refused["field"], refused["payload"]) == ("no XML", "alert", b"<xml")


def test_acknowledged_only_when_durable(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = Intake(home)
    acked: list[int] = []
    intake.submit(Parcel("vehicle_position", "t", json.dumps(fix(1)).encode()), lambda: acked.append(1))
    intake.submit(Parcel("vehicle_position", "t", b"rubbish"), lambda: acked.append(2))
    append = intake._landing.append

    def full(batches: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(intake._landing, "append", full)
    assert not intake.flush()
    assert not intake.flush()
    assert acked == []
    assert "No space" in str(intake.totals.stalled)
    monkeypatch.setattr(intake._landing, "append", append)
    assert intake.flush()
    assert acked == [1, 2], "good or refused, both are durable and acknowledged"
    assert intake.totals.stalled is None
    intake.close()
    outcomes = landed(home, "ingest_outcome")
    failed = outcomes.filter(~pl.col("success"))
    assert failed.height == 1, "one row for the stall, not one a try"
    assert "No space" in failed["reason"][0]


def test_a_failing_listener_does_not_hold_acknowledgements(home: Settings) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the city state is gone")

    acked: list[int] = []
    with Intake(home, listeners=[broken]) as intake:
        intake.submit(Parcel("vehicle_position", "t", json.dumps(fix(1)).encode()), lambda: acked.append(1))
        intake.flush()
        assert acked == [1]


def test_clocks_are_marked_and_not_trusted(home: Settings) -> None:
    now = datetime.now(UTC)
    moments = {"ok": now, "ahead": now + timedelta(hours=1), "behind": now - timedelta(hours=5)}
    with Intake(home) as intake:
        for status, moment in moments.items():
            intake.submit(
                Parcel(
                    "vehicle_position",
                    "t",
                    json.dumps(fix(1, vehicle_id=status) | {"timestamp": moment.isoformat()}).encode(),
                )
            )
    rows = {row["vehicle_id"]: row for row in landed(home, "vehicle_position").to_dicts()}
    assert {name: row["clock_status"] for name, row in rows.items()} == {name: name for name in moments}
    assert rows["ahead"]["event_at"] == rows["ahead"]["received_at"]
    assert rows["ahead"]["timestamp"] > rows["ahead"]["received_at"]
    assert rows["behind"]["event_at"] == rows["behind"]["timestamp"]


def test_the_same_refused_message_is_the_same_row(home: Settings) -> None:
    one = quarantine_id("alert", "topic", b"x")
    assert one == quarantine_id("alert", "topic", b"x")
    assert one != quarantine_id("alert", "topic", b"y")
    assert one != quarantine_id("alert", "other", b"x")


def test_outcomes_count_what_came(home: Settings) -> None:
    with Intake(home) as intake:
        for number in range(7):
            intake.submit(Parcel("vehicle_position", "t", json.dumps(fix(number)).encode()))
        intake.submit(Parcel("vehicle_position", "t", b"rubbish"))
    row = landed(home, "ingest_outcome").filter(pl.col("subject") == "vehicle_position").row(0, named=True)
    assert (row["stage"], row["success"], row["messages"], row["rows"], row["quarantined"]) == ("flush", True, 8, 7, 1)
