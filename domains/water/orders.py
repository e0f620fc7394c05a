"""From a leak finding to an incident and a work order: pure, by the city's norms. Messages are ready to be published.

order = order_of(finding, city.norms.water, contractor="vodokanal-brigade-1", ordered_at=now)
incident = incident_of(finding, now)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from city.profile import WaterNorms
from ingest.contracts.incident import Incident
from ingest.contracts.leak_finding import LeakFinding
from ingest.contracts.work_order import WorkOrder

SURE = 0.5
"""Below it a crew is sent to search, not to dig."""
LARGE_M3_H = 5.0
"""A leak of so much is a critical incident; our own figure, a burst main of a small town."""


def order_of(
    finding: LeakFinding,
    norms: WaterNorms,
    *,
    contractor: str,
    ordered_at: datetime,
    place: str | None = None,
    ordered_by: str | None = None,
) -> WorkOrder:
    """The order for an open finding. ValueError for a closed one.

    The deadline counts from the order: `repair_h` by the city's norm, `repair_small_h` where the leak is surely small
    (its upper bound lies below `small_leak_m3_h`).
    """
    if finding.status != "open":
        raise ValueError(f"finding {finding.finding_id} is closed: there is nothing to dig for")
    upper = finding.flow_m3_h if finding.flow_high_m3_h is None else finding.flow_high_m3_h
    hours = norms.repair_small_h if upper < norms.small_leak_m3_h else norms.repair_h
    at = ordered_at.astimezone(UTC)
    return WorkOrder(
        order_id=f"leak:{finding.finding_id}",
        event_time=at,
        stage="ordered",
        kind="leak_repair" if finding.pipe is not None and finding.confidence >= SURE else "leak_search",
        finding_id=finding.finding_id,
        incident_id=incident_id(finding),
        contractor=contractor,
        zone_id=finding.zone_id,
        place=place or _place(finding),
        ordered_at=at,
        deadline_at=at + timedelta(hours=hours),
        latitude=finding.latitude,
        longitude=finding.longitude,
        note=_note(finding),
        ordered_by=ordered_by,
    )


def incident_of(finding: LeakFinding, at: datetime) -> Incident:
    """The incident of a finding: open while it runs, closed by the statement that it runs no more."""
    tail = f", {finding.pipe}" if finding.pipe else ""
    return Incident(
        incident_id=incident_id(finding),
        event_time=at.astimezone(UTC),
        status=finding.status,
        kind="water_leak",
        severity="critical" if finding.flow_m3_h >= LARGE_M3_H else "major" if finding.confidence >= SURE else "minor",
        subject=finding.zone_id or finding.pipe or finding.finding_id,
        title=f"Утечка воды {finding.flow_m3_h:.1f} м³/ч{tail} / Water leak {finding.flow_m3_h:.1f} m³/h{tail}",
        detail=_note(finding),
        latitude=finding.latitude,
        longitude=finding.longitude,
    )


def moved(order: WorkOrder, stage: str, at: datetime, **changes: Any) -> WorkOrder:
    """The order's next statement; `done` sets done_at. ValueError where the stage cannot follow."""
    if stage not in NEXT[order.stage]:
        raise ValueError(f"order {order.order_id}: {stage} cannot follow {order.stage}")
    told = {**order.model_dump(), "stage": stage, "event_time": at.astimezone(UTC), **changes}
    if stage == "done" and told["done_at"] is None:
        told["done_at"] = at.astimezone(UTC)
    return WorkOrder.model_validate(told)


NEXT: dict[str, tuple[str, ...]] = {
    "ordered": ("accepted", "on_site", "done", "cancelled"),
    "accepted": ("on_site", "done", "cancelled"),
    "on_site": ("done", "cancelled"),
    "done": ("checked", "on_site"),
    "checked": (),
    "cancelled": (),
}


def incident_id(finding: LeakFinding) -> str:
    return f"water_leak:{finding.finding_id}"[:128]


def _place(finding: LeakFinding) -> str:
    parts = [f"труба {finding.pipe} / pipe {finding.pipe}" if finding.pipe else "участок не определён / pipe not known"]
    if finding.zone_id:
        parts.append(finding.zone_id)
    return ", ".join(parts)


def _note(finding: LeakFinding) -> str:
    low = "?" if finding.flow_low_m3_h is None else f"{finding.flow_low_m3_h:.1f}"
    high = "?" if finding.flow_high_m3_h is None else f"{finding.flow_high_m3_h:.1f}"
    cost = "" if finding.cost_day is None else f", {finding.cost_day:,.0f}/сут."
    text = (
        f"Расход {finding.flow_m3_h:.1f} ({low}…{high}) м³/ч{cost}, уверенность {finding.confidence:.0%}, "
        f"впервые {finding.first_seen:%d.%m.%Y %H:%M} UTC"
    )
    return text if not finding.alternatives else f"{text}. Ещё возможно: {finding.alternatives}"
