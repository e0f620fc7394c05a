"""What the page knows of leaks and orders: the marts, and over them what the city state has heard since."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from apps.streamlit import data
from apps.streamlit.data import Trouble
from apps.streamlit.water import queries
from ingest.contracts.leak_finding import LeakFinding
from ingest.contracts.work_order import WorkOrder

LOG = logging.getLogger(__name__)
OPEN_STAGES = ("ordered", "accepted", "on_site")


@dataclass(frozen=True)
class Order:
    """A work order at its latest stage."""

    order_id: str
    stage: str
    kind: str
    finding_id: str | None
    contractor: str
    zone_id: str | None
    place: str
    ordered_at: datetime
    deadline_at: datetime
    done_at: datetime | None = None
    cost_rub: float | None = None
    saved_m3_h: float | None = None

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN_STAGES

    def is_late(self, now: datetime) -> bool:
        """Past its deadline when it was done, or now while it is not; a cancelled one never is."""
        return self.stage != "cancelled" and (self.done_at or now) > self.deadline_at


@dataclass(frozen=True)
class Leaks:
    """findings: open first, the dearest first; one that ended is history. orders: open by deadline, then the newest."""

    findings: list[LeakFinding] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def running(self) -> list[LeakFinding]:
        return [one for one in self.findings if one.status == "open"]

    def order_of(self, finding_id: str) -> Order | None:
        """The order that was made from it and not cancelled."""
        return next((one for one in self.orders if one.finding_id == finding_id and one.stage != "cancelled"), None)


def optional(sql: str, parameters: tuple[Any, ...] = ()) -> pl.DataFrame:
    """Rows, or none where an older lake has no such mart: a part of the page is then empty, not the page."""
    try:
        return data.marts(sql, parameters)
    except Trouble as trouble:
        if trouble.code in ("marts_missing", "lake_missing"):
            return pl.DataFrame()
        raise


def leaks(tariff_rub_m3: float) -> Leaks:
    """Findings with a cost a day, by the city's tariff where the detection told none."""
    findings = {one.finding_id: one for one in map(_finding, optional(queries.FINDINGS).iter_rows(named=True)) if one}
    for row in data.state("leak_finding").iter_rows(named=True):
        try:
            findings[row["entity"]] = LeakFinding.model_validate_json(row["payload"])
        except ValueError:
            LOG.warning("finding %s in the city state does not fit its contract", row["entity"])
    orders = {row["order_id"]: Order(**_picked(row)) for row in optional(queries.ORDERS).iter_rows(named=True)}
    for row in data.state("work_order").iter_rows(named=True):
        try:
            heard = WorkOrder.model_validate_json(row["payload"])
        except ValueError:
            LOG.warning("order %s in the city state does not fit its contract", row["entity"])
            continue
        known = orders.get(heard.order_id)
        fresh = Order(**_picked(heard.model_dump()))
        orders[heard.order_id] = replace(fresh, saved_m3_h=known.saved_m3_h if known else None)
    priced = [
        one if one.cost_day is not None else one.model_copy(update={"cost_day": one.flow_m3_h * 24 * tariff_rub_m3})
        for one in findings.values()
    ]
    priced.sort(key=lambda one: (one.status != "open", -(one.cost_day or 0), one.finding_id))
    running = sorted((one for one in orders.values() if one.is_open), key=lambda one: (one.deadline_at, one.order_id))
    over = sorted((one for one in orders.values() if not one.is_open), key=lambda one: one.ordered_at, reverse=True)
    return Leaks(priced, [*running, *over])


def _picked(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Order.__dataclass_fields__ if name in row}


def _finding(row: dict[str, Any]) -> LeakFinding | None:
    told = {name: value for name, value in row.items() if name in LeakFinding.model_fields and value is not None}
    try:
        return LeakFinding.model_validate(
            told | {"event_time": row["first_seen_at"], "first_seen": row["first_seen_at"],
                    "likely_start": row["likely_start_at"]}
        )  # fmt: skip
    except ValueError:
        return None
