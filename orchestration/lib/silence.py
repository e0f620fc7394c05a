"""Which feeds have fallen silent and which are back: a pure decision that gives incidents to publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.contracts import CONTRACTS
from ingest.contracts.incident import Incident

CRITICAL_SILENCES = 12
"""A feed that missed this many of its periods is down, not late."""


@dataclass(frozen=True, slots=True)
class Heard:
    """When the gateway last received a message of a feed."""

    feed: str
    last_received_at: datetime


def decide(heard: Sequence[Heard], open_incidents: Sequence[Incident], now: datetime) -> list[Incident]:
    """Opens an incident for each feed silent for longer than its contract allows, closes those of feeds that are back.

    A feed that never spoke is not silent: nothing of it is connected yet. The incident's id holds the moment of
    the last message, so that one silence is one incident however often this runs.
    """
    last = {each.feed: each.last_received_at for each in heard}
    silent = {feed: since for feed, since in last.items() if _is_silent(feed, since, now)}
    known = {incident.incident_id: incident for incident in open_incidents if incident.kind == "feed_silent"}
    opened = [_open(feed, since, now) for feed, since in silent.items() if _id(feed, since) not in known]
    current = {_id(feed, since) for feed, since in silent.items()}
    closed = [_close(incident, last, now) for incident_id, incident in known.items() if incident_id not in current]
    return opened + closed


def _is_silent(feed: str, since: datetime, now: datetime) -> bool:
    freshness_s = CONTRACTS[feed].spec.freshness_s if feed in CONTRACTS else 0
    return bool(freshness_s) and now - since > timedelta(seconds=freshness_s)


def _id(feed: str, since: datetime) -> str:
    return f"feed_silent-{feed}-{since:%Y%m%dT%H%M%S}"


def _open(feed: str, since: datetime, now: datetime) -> Incident:
    spec = CONTRACTS[feed].spec
    missed = (now - since).total_seconds() / spec.freshness_s
    return Incident(
        incident_id=_id(feed, since),
        event_time=now,
        status="open",
        kind="feed_silent",
        severity="major" if missed > CRITICAL_SILENCES else "minor",
        subject=feed,
        title=f"{spec.title_ru}: нет данных · {spec.title_en}: no data",
        detail=(
            f"Последнее сообщение {since:%Y-%m-%d %H:%M:%S} UTC, допустимо молчание {spec.freshness_s} с. "
            f"Проверьте источник и шлюз: gorodok doctor. · Last message {since:%Y-%m-%d %H:%M:%S} UTC, "
            f"a silence of {spec.freshness_s} s is allowed. Check the source and the gateway: gorodok doctor."
        ),
    )


def _close(incident: Incident, last: Mapping[str, datetime], now: datetime) -> Incident:
    back = last.get(incident.subject)
    said = "" if back is None else f"Данные снова идут с {back:%Y-%m-%d %H:%M:%S} UTC. · Data came back."
    return incident.model_copy(update={"status": "closed", "event_time": now, "detail": said or incident.detail})
