"""Times as other people's servers write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SHAPE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def moment(text: str, zone: str) -> str | None:
    """RFC 3339 in UTC of an ISO 8601 time; None when it is none.

    A time without an offset is the server's local time in `zone`: of an hour that occurs twice the first is meant, and
    a time that the spring jump leaves out is moved on by the jump. A date alone is its midnight.
    """
    told = text.strip()
    if not SHAPE.fullmatch(told):
        return None
    try:
        found = datetime.fromisoformat(told.replace("z", "Z").replace(",", ".").replace(" +", "+").replace(" -", "-"))
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone))
        utc = found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc.isoformat().replace("+00:00", "Z")
