"""Incidents of silence, of failed runs and of failed checks: opened once, closed when the cause is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts import CONTRACTS
from ingest.contracts.incident import Incident
from orchestration.lib.incidents import Checked, of_checks, of_failed_run, of_good_run, request
from orchestration.lib.silence import Heard, decide

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FRESH_S = CONTRACTS["vehicle_position"].spec.freshness_s


def heard(age_s: float, feed: str = "vehicle_position") -> Heard:
    return Heard(feed, NOW - timedelta(seconds=age_s))


def test_a_silent_feed_opens_one_incident_however_often_it_is_looked_at() -> None:
    (incident,) = decide([heard(FRESH_S + 1)], [], NOW)
    assert (incident.kind, incident.subject, incident.status) == ("feed_silent", "vehicle_position", "open")
    assert "Положение транспорта" in incident.title
    assert "Vehicle positions" in incident.title
    assert decide([heard(FRESH_S + 1)], [incident], NOW) == []


def test_a_feed_that_is_back_closes_its_incident() -> None:
    (incident,) = decide([heard(FRESH_S + 1)], [], NOW)
    (closed,) = decide([heard(1)], [incident], NOW)
    assert (closed.incident_id, closed.status) == (incident.incident_id, "closed")


def test_a_second_silence_is_a_second_incident() -> None:
    (first,) = decide([heard(FRESH_S + 1)], [], NOW)
    later = NOW + timedelta(hours=1)
    opened, closed = decide([Heard("vehicle_position", later - timedelta(seconds=FRESH_S + 1))], [first], later)
    assert opened.incident_id != first.incident_id
    assert (closed.incident_id, closed.status) == (first.incident_id, "closed")


def test_feeds_that_owe_nothing_are_never_silent() -> None:
    assert decide([heard(1e7, "alert"), heard(1e7, "incident"), heard(1e7, "unheard_of")], [], NOW) == []


@given(st.lists(st.floats(0, 10 * FRESH_S), min_size=1, max_size=30))
def test_silence_converges(ages: list[float]) -> None:
    """After each look the open incidents are exactly the feeds that are silent now, and looking twice adds nothing."""
    known: dict[str, Incident] = {}
    for age_s in ages:
        state = [heard(age_s)]
        found = decide(state, [each for each in known.values() if each.status == "open"], NOW)
        known |= {incident.incident_id: incident for incident in found}
        still_open = [each for each in known.values() if each.status == "open"]
        assert len(still_open) == (1 if age_s > FRESH_S else 0)
        assert decide(state, still_open, NOW) == []


def test_a_job_that_fails_again_and_again_is_one_incident_and_one_success_closes_it() -> None:
    (incident,) = of_failed_run("load_and_build", "run-1", "boom", [], NOW)
    assert of_failed_run("load_and_build", "run-2", "boom", [incident], NOW) == []
    assert of_good_run("maintain_lake", [incident], NOW) == []
    (closed,) = of_good_run("load_and_build", [incident], NOW)
    assert closed.status == "closed"


def test_a_check_opens_and_closes_its_own_incident() -> None:
    bad = Checked("raw/alert", "contract", passed=False, is_error=True, description="2 of 40 expectations fail")
    (incident,) = of_checks([bad], [], NOW)
    assert (incident.kind, incident.subject, incident.detail) == (
        "check_failed",
        "raw/alert",
        "2 of 40 expectations fail",
    )
    assert of_checks([bad], [incident], NOW) == []
    good = Checked("raw/alert", "contract", passed=True, is_error=False, description="")
    assert [each.status for each in of_checks([good], [incident], NOW)] == ["closed"]


def test_a_warning_is_no_incident_and_a_long_name_fits_the_contract() -> None:
    warning = Checked("raw/alert", "contract", passed=False, is_error=False, description="")
    assert of_checks([warning], [], NOW) == []
    long = Checked("marts/mart_kpi_daily", "x" * 300, passed=False, is_error=True, description="y" * 20_000)
    (incident,) = of_checks([long], [], NOW)
    assert len(incident.incident_id) <= 128


def test_the_same_incidents_are_asked_for_once_a_minute() -> None:
    found = of_failed_run("load_and_build", "run-1", "boom", [], NOW)
    keys = [request(found, NOW + timedelta(seconds=s)).run_requests[0].run_key for s in (0, 10, 70)]
    assert keys[0] == keys[1] != keys[2]
    assert request([], NOW) is None
