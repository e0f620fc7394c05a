"""Loading: each key once, conflicts kept, broken segments set aside, crashes between commit and archive harmless."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from city.settings import Settings
from ingest.landing.segments import find_segment
from tests.warehouse.conftest import Land, position
from warehouse.lake import LakeMissingError
from warehouse.load import load_segments
from warehouse.read import query

COUNT = "SELECT count(*) AS n, count(DISTINCT (vehicle_id, timestamp)) AS distinct_n FROM raw.vehicle_position"


def test_repeats_within_and_across_loads_are_loaded_once(home: Settings, land: Land) -> None:
    land([position(n) for n in range(100)] + [position(n) for n in range(50)])
    first = {report.feed: report for report in load_segments(home)}["vehicle_position"]
    assert (first.rows, first.duplicates, first.conflicts) == (100, 50, 0)
    land([position(n) for n in range(50, 150)])
    second = {report.feed: report for report in load_segments(home)}["vehicle_position"]
    assert (second.rows, second.duplicates) == (50, 50)
    assert query(home, COUNT).row(0) == (150, 150)


def test_a_duplicate_that_says_something_else_is_kept_as_a_conflict(home: Settings, land: Land) -> None:
    land([position(1)])
    load_segments(home)
    land([position(1, speed_m_s=7.0), position(1)])
    load_segments(home)
    assert query(home, "SELECT speed_m_s FROM raw.vehicle_position").rows() == [(None,)]
    conflicts = query(home, "SELECT feed, row FROM ops.conflict").rows()
    assert len(conflicts) == 1
    assert '"speed_m_s":7.0' in conflicts[0][1]


def test_a_key_redelivered_by_a_clock_that_is_ahead_is_still_one_row(home: Settings, land: Land) -> None:
    ahead = position(0, timestamp="2090-01-01T00:00:00+00:00")
    land([ahead])
    load_segments(home)
    land([ahead])
    load_segments(home)
    assert query(home, "SELECT clock_status, event_at = received_at FROM raw.vehicle_position").rows() == [
        ("ahead", True)
    ]


def test_a_broken_segment_is_set_aside_and_the_others_go_on(home: Settings, land: Land) -> None:
    land([position(1)])
    land([position(2)])
    segments = sorted((home.landing_dir / "vehicle_position" / "sealed").iterdir())
    segments[0].write_bytes(b"PAR1 this is no Parquet PAR1")
    reports = [report for report in load_segments(home) if report.feed == "vehicle_position"]
    assert sorted((report.rows, report.reason is None) for report in reports) == [(0, False), (1, True)]
    assert [path.name for path in (home.landing_dir / "vehicle_position" / "broken").iterdir()] == [segments[0].name]
    outcomes = query(
        home,
        "SELECT success, reason IS NOT NULL FROM raw.ingest_outcome "
        "WHERE stage = 'load' AND subject = 'vehicle_position'",
    )
    assert sorted(outcomes.rows()) == [(False, True), (True, False)]


def test_a_crash_between_commit_and_archive_doubles_nothing(home: Settings, land: Land) -> None:
    land([position(n) for n in range(10)])
    sealed = next((home.landing_dir / "vehicle_position" / "sealed").iterdir())
    shutil.copy(sealed, home.home / "copy.parquet")
    load_segments(home)
    shutil.move(home.home / "copy.parquet", sealed)  # as if it had never been archived
    assert [report for report in load_segments(home) if report.feed == "vehicle_position"] == []
    assert query(home, COUNT).row(0) == (10, 10)
    assert not sealed.exists()


def test_a_row_leads_back_to_its_landed_file(home: Settings, land: Land) -> None:
    land([position(n) for n in range(5)])
    load_segments(home)
    segment, row = query(home, "SELECT segment, segment_row FROM raw.vehicle_position WHERE vehicle_id = 'bus-3'").row(
        0
    )
    path = find_segment(home.landing_dir, segment)
    assert path is not None
    found = duckdb.sql(
        f"SELECT vehicle_id FROM read_parquet('{path}', file_row_number = true) WHERE file_row_number = {row}"
    )
    assert found.fetchall() == [("bus-3",)]


def test_schema_evolution_old_segments_load_into_a_grown_table(
    home: Settings, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import load, tables

    land([position(1)])
    grown = dict(tables.raw_columns("vehicle_position")) | {"gained": "DOUBLE"}
    original = tables.raw_columns

    def with_gain(feed: str) -> dict[str, str]:
        return grown if feed == "vehicle_position" else original(feed)

    load_segments(home, ["alert"])  # the tables exist in their old form
    monkeypatch.setattr(tables, "raw_columns", with_gain)
    monkeypatch.setattr(load, "raw_columns", with_gain)
    load_segments(home)
    assert query(home, "SELECT vehicle_id, gained FROM raw.vehicle_position").rows() == [("bus-1", None)]


def test_time_travel_sees_what_was_there_then(home: Settings, land: Land) -> None:
    land([position(1)])
    load_segments(home)
    then = query(home, "SELECT max(snapshot_time) FROM lake.snapshots()").item()
    land([position(2)])
    load_segments(home)
    assert query(home, COUNT).row(0)[0] == 2
    assert query(home, COUNT, at=then).row(0)[0] == 1


def test_before_the_first_load_the_remedy_is_named(home: Settings) -> None:
    with pytest.raises(LakeMissingError, match="gorodok build"):
        query(home, "SELECT 1")
