"""Time zones by name, and the moment that a local time means."""

from __future__ import annotations

import zoneinfo


def known_zone(name: str) -> str:
    """The name, if it is an IANA zone; ValueError with the remedy if not."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no IANA time zone {name!r}: write it like Europe/Moscow or UTC") from error
    return name
