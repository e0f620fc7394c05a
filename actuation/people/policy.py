"""When a notice may be said: quiet hours, digests, rates, tries. Pure functions of times."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from random import random
from zoneinfo import ZoneInfo

from actuation.people.notices import Audience, Severity

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 300.0
LEAST_TRIES = 3
"""A channel is asked so often at least, however long each silence of it was."""


def due(now: datetime, severity: Severity, audience: Audience, last_sent: datetime | None, zone: ZoneInfo) -> datetime:
    """When a new notice may go. Critical: at once, whatever the hour and however many there were."""
    if severity == "critical":
        return now
    at = now
    if last_sent is not None and audience.digest_minutes:
        at = max(at, last_sent + timedelta(minutes=audience.digest_minutes))
    return after_quiet(at, audience, zone)


def after_quiet(at: datetime, audience: Audience, zone: ZoneInfo) -> datetime:
    """`at`, or the end of the quiet hours that it lies in."""
    if audience.quiet_from is None or audience.quiet_until is None:
        return at
    local = at.astimezone(zone)
    start, end = time.fromisoformat(audience.quiet_from), time.fromisoformat(audience.quiet_until)
    now = local.time().replace(tzinfo=None)
    over_midnight = start > end
    if not (start <= now < end if not over_midnight else now >= start or now < end):
        return at
    day = local.date() + timedelta(days=1 if over_midnight and now >= start else 0)
    return datetime.combine(day, end, zone).astimezone(at.tzinfo)


def retry_at(now: datetime, attempt: int, asked_to_wait_s: float | None = None) -> datetime:
    """When to try again after the `attempt`-th failure: doubling, with a tenth of chance; the channel's wish first."""
    wait = min(FIRST_RETRY_S * 2 ** min(attempt - 1, 16), LONGEST_RETRY_S) * (1 + random() / 10)  # noqa: S311 - no secret
    return now + timedelta(seconds=max(wait, asked_to_wait_s or 0))
