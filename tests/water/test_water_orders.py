"""From finding to order and incident: deadlines by the norm, kinds, stages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from city.profile import WaterNorms
from domains.water.findings import message_of
from domains.water.orders import incident_of, moved, order_of
from ingest.contracts.leak_finding import LeakFinding

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
NORMS = WaterNorms(repair_h=24, repair_small_h=120, small_leak_m3_h=1.0)


def finding(**changes: Any) -> LeakFinding:
    told = {
        "finding_id": "f1", "event_time": AT, "status": "open", "zone_id": "dma-2", "pipe": "p227",
        "first_seen": AT - timedelta(hours=5), "flow_m3_h": 3.0, "flow_low_m3_h": 2.5, "flow_high_m3_h": 3.5,
        "cost_day": 2304.0, "confidence": 0.8, **changes,
    }  # fmt: skip
    return LeakFinding(**told)


def test_an_order_has_the_deadline_of_the_norm() -> None:
    order = order_of(finding(), NORMS, contractor="crew", ordered_at=AT)
    assert (order.kind, order.stage, order.deadline_at - order.ordered_at) == (
        "leak_repair",
        "ordered",
        timedelta(hours=24),
    )
    assert (order.finding_id, order.incident_id, order.zone_id) == ("f1", "water_leak:f1", "dma-2")
    assert "3.0 (2.5…3.5) м³/ч" in str(order.note)
    small = order_of(finding(flow_m3_h=0.5, flow_high_m3_h=0.9), NORMS, contractor="crew", ordered_at=AT)
    assert small.deadline_at - small.ordered_at == timedelta(hours=120)
    # the mean is small, the bound is not: not surely small
    unsure = order_of(finding(flow_m3_h=0.5, flow_high_m3_h=1.9), NORMS, contractor="crew", ordered_at=AT)
    assert unsure.deadline_at - unsure.ordered_at == timedelta(hours=24)


@pytest.mark.parametrize("changes", [{"pipe": None}, {"confidence": 0.3}])
def test_without_a_sure_pipe_a_crew_searches(changes: dict[str, Any]) -> None:
    assert order_of(finding(**changes), NORMS, contractor="crew", ordered_at=AT).kind == "leak_search"


def test_a_closed_finding_has_no_order() -> None:
    with pytest.raises(ValueError, match="closed"):
        order_of(finding(status="closed"), NORMS, contractor="crew", ordered_at=AT)


def test_the_same_finding_is_ordered_once_and_its_incident_closes_with_it() -> None:
    first, second = (order_of(finding(), NORMS, contractor="crew", ordered_at=AT + timedelta(hours=n)) for n in (0, 1))
    assert first.order_id == second.order_id
    opened, closed = incident_of(finding(), AT), incident_of(finding(status="closed"), AT)
    assert (opened.incident_id, opened.kind, opened.severity) == (closed.incident_id, "water_leak", "major")
    assert (opened.status, closed.status) == ("open", "closed")
    assert incident_of(finding(flow_m3_h=8.0), AT).severity == "critical"


def test_stages_follow_each_other() -> None:
    order = order_of(finding(), NORMS, contractor="crew", ordered_at=AT)
    done = moved(moved(order, "on_site", AT + timedelta(hours=2)), "done", AT + timedelta(hours=5), cost_rub=40_000.0)
    assert (done.done_at, done.cost_rub) == (AT + timedelta(hours=5), 40_000.0)
    with pytest.raises(ValueError, match="checked cannot follow ordered"):
        moved(order, "checked", AT)


def test_a_finding_of_the_detection_becomes_a_message() -> None:
    @dataclass(frozen=True, slots=True)
    class Alternative:
        pipe: str
        share: float

    found = SimpleNamespace(
        seen_at=datetime(2026, 3, 1, 5), started_at=datetime(2026, 3, 1, 2), ended_at=None, pipe="p227",
        confidence=0.8, leak_m3_h=3.0, leak_low_m3_h=2.0, leak_high_m3_h=4.0, cost_day=57.6,
        alternatives=(Alternative("p230", 0.2),),
    )  # fmt: skip
    opened = message_of(found, AT, zone_id="dma-1", place=(57.6, 39.9))
    assert (opened.finding_id, opened.status) == ("dma-1:p227:20260301T0500", "open")
    assert opened.alternatives == '[{"pipe": "p230", "share": 0.2}]'
    found.ended_at = datetime(2026, 3, 2)
    closed = message_of(found, AT, zone_id="dma-1")
    assert (closed.finding_id, closed.status) == (opened.finding_id, "closed")
