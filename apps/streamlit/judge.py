"""What is good, what is late and what is wrong: the rules behind colours and verdicts, without any page in them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import polars as pl

from apps.streamlit.look import Level
from ingest.contracts import CONTRACTS

NEAR_TARGET = 0.1  # a miss within a tenth of the target is a warning, a larger one is bad
WHOLE_DAY = 0.9  # a day is judged when at least this share of it was measured
NIGHT_RISE = 0.2  # night flow a fifth above its usual level is named
SITE_TROUBLE = ("waste_full", "waste_beside", "waste_overflow", "overflow", "full", "bulky_waste")
SITE_OLD = timedelta(hours=6)

FeedState = Literal["live", "silent", "never", "not_due"]


@dataclass(frozen=True)
class Feed:
    """One feed as it is now."""

    code: str
    state: FeedState
    last_at: datetime | None
    messages: int

    @property
    def level(self) -> Level:
        return {"live": "good", "silent": "bad", "never": "stale", "not_due": "none"}[self.state]  # type: ignore[return-value]


@dataclass(frozen=True)
class Incident:
    """An incident that is open."""

    incident_id: str
    severity: str
    kind: str
    subject: str
    title: str
    detail: str | None
    at: datetime
    latitude: float | None = None
    longitude: float | None = None

    @property
    def level(self) -> Level:
        return "warn" if self.severity == "minor" else "bad"


def feeds(heard: pl.DataFrame, now: datetime) -> list[Feed]:
    """One Feed per contract that devices or services send, worst first. The platform's own feeds are never due."""
    rows = {row["feed"]: row for row in heard.iter_rows(named=True)}
    found: list[Feed] = []
    for code, contract in CONTRACTS.items():
        spec = contract.spec
        if spec.origin == "platform":
            continue
        row = rows.get(code)
        last = row["last_received_at"] if row else None
        state: FeedState
        if last is None:
            state = "never"
        elif spec.freshness_s and now - last > timedelta(seconds=spec.freshness_s):
            state = "silent"
        else:
            state = "live" if spec.freshness_s else "not_due"
        found.append(Feed(code, state, last, int(row["messages"]) if row else 0))
    order = {"silent": 0, "never": 1, "live": 2, "not_due": 3}
    return sorted(found, key=lambda feed: (order[feed.state], feed.code))


def incidents(latest: pl.DataFrame) -> list[Incident]:
    """Open incidents of the city state, gravest first, then newest."""
    found: list[Incident] = []
    for row in latest.iter_rows(named=True):
        told = payload(row)
        if told.get("status") != "open":
            continue
        found.append(
            Incident(
                incident_id=row["entity"],
                severity=str(told.get("severity", "minor")),
                kind=str(told.get("kind", "other")),
                subject=str(told.get("subject", "")),
                title=str(told.get("title", row["entity"])),
                detail=told.get("detail"),
                at=row["event_at"],
                latitude=row["latitude"],
                longitude=row["longitude"],
            )
        )
    order = {"critical": 0, "major": 1, "minor": 2}
    return sorted(found, key=lambda one: (order.get(one.severity, 3), -one.at.timestamp()))


def payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """The message of a state row; an unreadable one is empty."""
    try:
        told = json.loads(row["payload"])
    except (TypeError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def kpi_level(value: float | None, target: float | None, better: str) -> Level:
    """Against the target, in the direction that is better."""
    if value is None or target is None:
        return "none"
    miss = target - value if better == "higher" else value - target
    if miss <= 0:
        return "good"
    return "warn" if miss <= abs(target) * NEAR_TARGET else "bad"


def is_better(change: float, better: str) -> bool:
    return change > 0 if better == "higher" else change < 0


@dataclass(frozen=True)
class ZoneFinding:
    """The zone to look at: the most water lost, and whether its nights are above their usual level."""

    zone_id: str
    day: date
    loss_m3: float
    loss_share: float
    night_flow_m3_h: float | None
    night_rise: float | None


def worst_zone(days: pl.DataFrame) -> ZoneFinding | None:
    """The zone that lost most on the last day with a balance; its night flow against the median of the days before.

    Night flow is the usual sign of leaks: people sleep, pipes leak (IWA "Losses from Water Supply Systems", 2000).
    """
    known = days.filter(pl.col("loss_m3").is_not_null() & pl.col("loss_share").is_not_null())
    if "covered_share" in known.columns:
        whole = known.filter(pl.col("covered_share") >= WHOLE_DAY)
        known = known if whole.is_empty() else whole  # today is not over: half a day's balance accuses nobody
    if known.is_empty():
        return None
    last = known.filter(pl.col("day") == known["day"].max()).sort("loss_m3", descending=True).row(0, named=True)
    before = days.filter((pl.col("zone_id") == last["zone_id"]) & (pl.col("day") < last["day"]))
    nights = [night for night in before["night_flow_m3_h"].to_list() if night is not None]
    usual = statistics.median(nights[-28:]) if len(nights) >= 3 else None
    night = last["night_flow_m3_h"]
    rise = night / usual - 1 if night is not None and usual else None
    return ZoneFinding(last["zone_id"], last["day"], last["loss_m3"], last["loss_share"], night, rise)


@dataclass(frozen=True)
class Site:
    """A place that cameras watch, as it is now."""

    site_id: str
    last_at: datetime | None
    last_class: str | None
    confidence: float | None
    events_7d: int
    open_tasks: int
    latitude: float | None
    longitude: float | None
    frame_ref: str | None
    level: Level


def site_level(last_class: str | None, last_at: datetime | None, open_tasks: int, now: datetime) -> Level:
    """bad: the last thing seen is a trouble; stale: not seen for a long time; warn: work is open; else good."""
    if last_at is None or now - last_at > SITE_OLD:
        return "stale"
    if last_class in SITE_TROUBLE:
        return "bad"
    return "warn" if open_tasks else "good"


def sites(rows: Sequence[Mapping[str, Any]], now: datetime) -> list[Site]:
    """Sites, worst first: trouble seen, then not seen, then work open, then good."""
    found = [
        Site(
            site_id=row["site_id"],
            last_at=row["last_event_at"],
            last_class=row["last_class"],
            confidence=row["last_confidence"],
            events_7d=int(row["events_7d"] or 0),
            open_tasks=int(row["open_tasks"] or 0),
            latitude=row["latitude"],
            longitude=row["longitude"],
            frame_ref=row["frame_ref"],
            level=site_level(row["last_class"], row["last_event_at"], int(row["open_tasks"] or 0), now),
        )
        for row in rows
    ]
    order = {"bad": 0, "stale": 1, "warn": 2, "good": 3, "none": 4}
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda site: (order[site.level], -site.open_tasks, site.last_at or oldest))
