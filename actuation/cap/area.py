"""CAP areas as shapes: a polygon or circle that is not plainly right is refused, never mended.

CAP 1.2 (section 3.2.4) writes "latitude,longitude" in WGS 84 degrees; shapely wants x = longitude, y = latitude.
"""

from __future__ import annotations

import math
import re

import shapely
from shapely.geometry.base import BaseGeometry

MAX_POINTS = 200_000
KM_PER_DEGREE = 111.195
"""Of a great circle, mean earth radius 6,371.0 km."""
CORNERS = 64
PAIR = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,20})?),([+-]?\d{1,3}(?:\.\d{1,20})?)", re.ASCII)
RADIUS = re.compile(r"\d{1,6}(?:\.\d{1,20})?", re.ASCII)


class BadAreaError(ValueError):
    """Not an area; the text says why. swapped: it would be one with latitude and longitude the other way round."""

    def __init__(self, told: str, value: str, *, swapped: bool = False) -> None:
        super().__init__(told)
        self.told, self.value, self.swapped = told, value[:200], swapped


def polygon(text: str) -> shapely.Polygon:
    """A closed ring of four or more points that does not cross itself and has an inside."""
    words = text.split()
    if len(words) > MAX_POINTS:
        raise BadAreaError(f"{len(words)} points are over the limit of {MAX_POINTS}", text)
    points = [_point(word, text) for word in words]
    if len(points) < 4:
        raise BadAreaError(f"a polygon has four points or more, this one {len(points)}", text)
    if points[0] != points[-1]:
        raise BadAreaError("the polygon is not closed: its last point must be its first", text)
    longitudes = [longitude for longitude, _ in points]
    if max(longitudes) - min(longitudes) > 180:
        raise BadAreaError("wider than half the earth: it crosses the 180th meridian, which is not taken", text)
    shape = shapely.Polygon(points)
    if not shape.is_valid:
        raise BadAreaError(f"the polygon is broken: {shapely.is_valid_reason(shape)}", text)
    if shape.area <= 0:
        raise BadAreaError("the polygon has no inside", text)
    return shape


def circle(text: str, max_radius_km: float) -> BaseGeometry:
    """ "latitude,longitude radius_km": a polygon that holds the circle; a point where the radius is 0."""
    words = text.split()
    if len(words) != 2 or not RADIUS.fullmatch(words[1]):
        raise BadAreaError('a circle is "latitude,longitude radius_km"', text)
    longitude, latitude = _point(words[0], text)
    radius_km = float(words[1])
    if radius_km > max_radius_km:
        raise BadAreaError(f"a radius of {radius_km:g} km is over the limit of {max_radius_km:g}", text)
    if radius_km == 0:
        return shapely.Point(longitude, latitude)
    reach = radius_km / KM_PER_DEGREE
    if abs(latitude) + reach > 89 or abs(longitude) + reach / math.cos(math.radians(abs(latitude) + reach)) > 180:
        raise BadAreaError("the circle reaches over a pole or the 180th meridian, which is not taken", text)
    return shapely.Polygon(_ring(longitude, latitude, reach))


def swapped(shape: BaseGeometry) -> BaseGeometry | None:
    """The shape with latitude and longitude the other way round; None where that is no place on earth."""
    west, south, east, north = shape.bounds
    if max(abs(west), abs(east)) > 90 or max(abs(south), abs(north)) > 90:
        return None
    return shapely.transform(shape, lambda points: points[:, ::-1])


def _ring(longitude: float, latitude: float, reach: float) -> list[tuple[float, float]]:
    """Points of the great circle distance around the centre, pushed out so that the sides hold the circle."""
    radius = math.radians(reach) / math.cos(math.pi / CORNERS)
    centre = math.radians(latitude)
    points = []
    for corner in range(CORNERS):
        bearing = 2 * math.pi * corner / CORNERS
        y = math.asin(math.sin(centre) * math.cos(radius) + math.cos(centre) * math.sin(radius) * math.cos(bearing))
        x = math.atan2(
            math.sin(bearing) * math.sin(radius) * math.cos(centre), math.cos(radius) - math.sin(centre) * math.sin(y)
        )
        points.append((longitude + math.degrees(x), math.degrees(y)))
    return points


def _point(word: str, text: str) -> tuple[float, float]:
    """(longitude, latitude) of "latitude,longitude"."""
    match = PAIR.fullmatch(word)
    if match is None:
        raise BadAreaError(f"{word[:40]!r} is no latitude,longitude", text)
    latitude, longitude = float(match.group(1)), float(match.group(2))
    if abs(latitude) <= 90 and abs(longitude) <= 180:
        return longitude, latitude
    if abs(longitude) <= 90 and abs(latitude) <= 180:
        raise BadAreaError(f"{word[:40]!r} is longitude,latitude: CAP writes latitude first", text, swapped=True)
    raise BadAreaError(f"{word[:40]!r} is no place on earth", text)
