"""Where the sun is: enough to know day from night, to about a quarter of a degree.

Source: the low-precision formulas of the Astronomical Almanac (page C5), good to 0.01 degrees until 2050.
"""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime

CIVIL_TWILIGHT_DEG = -6.0
"""Lower than this and street lighting is needed: the end of civil twilight."""

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def is_dark(at: datetime, latitude: float, longitude: float) -> bool:
    """Whether the sun is lower than civil twilight; the same answer within a minute."""
    return _elevation_deg(int(at.timestamp() // 60), latitude, longitude) < CIVIL_TWILIGHT_DEG


@functools.lru_cache(maxsize=4096)
def _elevation_deg(minute: int, latitude: float, longitude: float) -> float:
    days = (minute * 60 - J2000.timestamp()) / 86_400
    mean = math.radians((357.528 + 0.9856003 * days) % 360)
    ecliptic = math.radians((280.460 + 0.9856474 * days + 1.915 * math.sin(mean) + 0.020 * math.sin(2 * mean)) % 360)
    tilt = math.radians(23.439 - 4e-7 * days)
    right = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians((280.46062 + 360.98564737 * days + longitude) % 360)
    hour_angle = sidereal - right
    here = math.radians(latitude)
    height = math.sin(here) * math.sin(declination) + math.cos(here) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, height))))
