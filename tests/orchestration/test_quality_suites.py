"""The suites say what the contracts say, and find what is wrong in a batch."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from ingest.contracts import CONTRACTS
from ingest.derive.arrow import to_batch
from ingest.quality.check import check_batch
from ingest.quality.suite import stale, suite_of

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def loaded(rows: int = 20) -> pd.DataFrame:
    """Rows of `raw.vehicle_position` as the load leaves them."""
    contract = CONTRACTS["vehicle_position"]
    models = [
        contract(vehicle_id=f"bus-{i}", timestamp=NOW, latitude=59.2, longitude=39.9, speed_m_s=5.0, route_id="1")
        for i in range(rows)
    ]
    frame = to_batch("vehicle_position", models, [NOW] * rows, ["topic"] * rows).to_pandas()
    return frame.assign(segment="vehicle_position-1", segment_row=range(rows))


def test_checked_in_suites_are_what_the_contracts_say() -> None:
    assert stale() == [], "run `python -m ingest.quality.suite` and commit"


@pytest.mark.parametrize("feed", sorted(CONTRACTS))
def test_every_field_of_a_contract_is_expected_to_be_there(feed: str) -> None:
    columns = suite_of(feed)["expectations"][0]["kwargs"]["column_set"]
    assert set(CONTRACTS[feed].model_fields) < set(columns)


@pytest.mark.slow
@pytest.mark.parametrize("feed", sorted(CONTRACTS))
def test_great_expectations_reads_every_suite(feed: str) -> None:
    columns = suite_of(feed)["expectations"][0]["kwargs"]["column_set"]
    result = check_batch(feed, pd.DataFrame({column: pd.Series(dtype=object) for column in columns}))
    assert [failure for failure in result.failures if failure.reason] == []
    assert result.expectations == len(suite_of(feed)["expectations"])


@pytest.mark.slow
def test_a_good_batch_passes() -> None:
    assert check_batch("vehicle_position", loaded()).failures == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value", "expectation"),
    [
        ("latitude", 91.0, "expect_column_values_to_be_between"),
        ("vehicle_id", "", "expect_column_value_lengths_to_be_between"),
        ("vehicle_id", None, "expect_column_values_to_not_be_null"),
        ("timestamp", datetime(1999, 1, 1, tzinfo=UTC), "expect_column_values_to_be_between"),
        ("occupancy_status", "CROWDED", "expect_column_values_to_be_in_set"),
        ("start_date", "24.11.2026", "expect_column_values_to_match_regex"),
        ("vehicle_id", "bus-1", "expect_compound_columns_to_be_unique"),
    ],
)
def test_a_wrong_value_is_found_and_named(column: str, value: object, expectation: str) -> None:
    frame = loaded().astype({"occupancy_status": object, "start_date": object})
    frame.loc[0, column] = value
    found = {
        (failure.expectation, column in failure.column) for failure in check_batch("vehicle_position", frame).critical
    }
    assert (expectation, True) in found


@pytest.mark.slow
def test_wrong_clocks_of_a_tenth_of_the_rows_are_a_warning() -> None:
    frame = loaded()
    frame.loc[:2, "clock_status"] = "behind"
    result = check_batch("vehicle_position", frame)
    assert result.critical == ()
    assert [(failure.column, failure.severity) for failure in result.failures] == [("clock_status", "warning")]


@pytest.mark.slow
def test_a_column_that_is_missing_fails_the_table() -> None:
    result = check_batch("vehicle_position", loaded().drop(columns="trip_id"))
    assert any("trip_id" in (failure.reason or "") for failure in result.critical)
