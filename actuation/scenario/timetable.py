"""When a schedule comes next, by the city's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from actuation.scenario.condition import WEEKDAYS
from actuation.scenario.trigger import ScheduleTrigger

LOOK_DAYS = 366 * 5


def after(trigger: ScheduleTrigger, now: datetime, timezone: tzinfo) -> datetime:
    """The first time later than `now`, UTC. A time that the clock skips in spring comes as much later."""
    hour, minute = (int(part) for part in trigger.at.split(":"))
    today = now.astimezone(timezone)
    for days in range(LOOK_DAYS):
        day = today.date() + timedelta(days=days)
        if trigger.weekdays and WEEKDAYS[day.weekday()] not in trigger.weekdays:
            continue
        if trigger.days and day.day not in trigger.days:
            continue
        at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=timezone).astimezone(UTC)
        if at > now:
            return at
    raise ValueError(f"schedule {trigger.at} {trigger.weekdays} {trigger.days} never comes: correct its days")
