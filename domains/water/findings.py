"""A finding of the leak detection as a message of the feed `leak_finding`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from ingest.contracts.leak_finding import LeakFinding

Place = tuple[float, float]
"""(latitude, longitude), WGS 84."""


class Found(Protocol):
    """What is asked of domains.water.leaks.book.Finding. Naive times are UTC."""

    @property
    def seen_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def pipe(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def leak_m3_h(self) -> float: ...
    @property
    def leak_low_m3_h(self) -> float: ...
    @property
    def leak_high_m3_h(self) -> float: ...
    @property
    def cost_day(self) -> float: ...
    @property
    def alternatives(self) -> Sequence[Any]: ...


def message_of(found: Found, at: datetime, *, zone_id: str | None = None, place: Place | None = None) -> LeakFinding:
    """at: time of the data that it rests on. The id stays while the leak runs: area, pipe, when first told."""
    seen = _utc(found.seen_at)
    ended = None if found.ended_at is None else _utc(found.ended_at)
    return LeakFinding(
        finding_id=f"{zone_id or 'network'}:{found.pipe}:{seen:%Y%m%dT%H%M}",
        event_time=_utc(at),
        status="open" if ended is None else "closed",
        zone_id=zone_id,
        pipe=found.pipe,
        first_seen=seen,
        likely_start=_utc(found.started_at),
        ended_at=ended,
        flow_m3_h=max(0.0, found.leak_m3_h),
        flow_low_m3_h=max(0.0, found.leak_low_m3_h),
        flow_high_m3_h=max(0.0, found.leak_high_m3_h),
        cost_day=max(0.0, found.cost_day),
        confidence=found.confidence,
        alternatives=json.dumps([_row(one) for one in found.alternatives], ensure_ascii=False) or None,
        latitude=None if place is None else place[0],
        longitude=None if place is None else place[1],
    )


def _row(alternative: Any) -> Any:
    """A dataclass with slots, or a tuple, as JSON."""
    slots = getattr(alternative, "__slots__", None) or list(getattr(alternative, "__dict__", {}))
    return {name: getattr(alternative, name) for name in slots} if slots else alternative


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
