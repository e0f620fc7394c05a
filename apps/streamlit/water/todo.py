"""Today's one thing to do, chosen by roubles: pure, so that a mayor's question "why this?" has one answer.

The order: a crew that is late while its leak runs; a leak that nobody was sent to, the dearest by what is expected of
it (cost a day × confidence); a zone whose night rose; the inspectors' best stop; a crew that is on its way; nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.streamlit.judge import NIGHT_RISE, ZoneFinding
from apps.streamlit.water.facts import Leaks, Order
from domains.water.survey import Suspicion
from ingest.contracts.leak_finding import LeakFinding

What = Literal["late", "send", "zone", "inspect", "wait", "calm"]
WORTH_A_VISIT_RUB = 1_000.0
"""A stop below it is no reason to change a day's plan."""


@dataclass(frozen=True)
class Todo:
    """what: which of the sentences; the things that it speaks of."""

    what: What
    finding: LeakFinding | None = None
    order: Order | None = None
    zone: ZoneFinding | None = None
    stop: Suspicion | None = None


def choose(leaks: Leaks, zone: ZoneFinding | None, stops: Sequence[Suspicion], now: datetime) -> Todo:
    """zone: the worst one by the balance; stops: suspicions, the most roubles first."""
    ordered = [(one, leaks.order_of(one.finding_id)) for one in leaks.running]
    late = [(one, order) for one, order in ordered if order is not None and order.is_open and order.is_late(now)]
    if late:
        finding, order = max(late, key=lambda pair: pair[0].cost_day or 0)
        return Todo("late", finding=finding, order=order)
    unsent = [one for one, order in ordered if order is None]
    if unsent:
        return Todo("send", finding=max(unsent, key=lambda one: (one.cost_day or 0) * one.confidence))
    if zone is not None and zone.night_rise is not None and zone.night_rise > NIGHT_RISE and not ordered:
        return Todo("zone", zone=zone)
    if stops and stops[0].expected_rub >= WORTH_A_VISIT_RUB:
        return Todo("inspect", stop=stops[0])
    waiting = [(one, order) for one, order in ordered if order is not None and order.is_open]
    if waiting:
        finding, order = max(waiting, key=lambda pair: pair[0].cost_day or 0)
        return Todo("wait", finding=finding, order=order)
    return Todo("zone", zone=zone) if zone is not None else Todo("calm")
