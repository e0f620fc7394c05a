"""Polygons, circles and geocodes to zones: plainly right or refused, for all inputs."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from actuation.cap import Accepted, CapSource, Refused, ZoneIndex
from actuation.cap.area import BadAreaError, circle, polygon, swapped
from tests.actuation.cap.signing import alert, signer

Make = Callable[..., CapSource]


def shape_of(text: str) -> str:
    return f"<polygon>{text}</polygon>"


@pytest.mark.parametrize(
    ("reason", "area", "told"),
    [
        ("area", shape_of("50.1,40.1 50.9,40.1 50.9,40.9"), "four points"),
        ("area", shape_of("50.1,40.1 50.9,40.1 50.9,40.9 50.1,40.9"), "not closed"),
        ("area", shape_of("50.1,40.1 50.9,40.9 50.9,40.1 50.1,40.9 50.1,40.1"), "broken: Self-intersection"),
        ("area", shape_of("50.1,40.1 50.9,40.1 50.1,40.1 50.1,40.1"), "broken"),
        ("area", shape_of("50.1,40.1 50.1,40.1 50.1,40.1 50.1,40.1"), "broken"),
        ("area", shape_of("50.1 40.1 50.9 40.1 50.9 40.9 50.1 40.1"), "no latitude,longitude"),
        ("area", shape_of("50.1,40.1 50.9,nan 50.9,40.9 50.1,40.1"), "no latitude,longitude"),
        ("area", shape_of("50.1,40.1 5e1,40.1 50.9,40.9 50.1,40.1"), "no latitude,longitude"),
        ("area", shape_of("50.1,40.1 250.9,240.1 50.9,40.9 50.1,40.1"), "no place on earth"),
        ("area", shape_of("50.1,-179 50.9,-179 50.9,179 50.1,179 50.1,-179"), "180th meridian"),
        ("area", shape_of("50,1,40,1 50,9,40,1 50,9,40,9 50,1,40,1"), "no latitude,longitude"),
        ("swapped", shape_of("40.1,50.1 40.1,50.9 40.9,50.9 40.9,50.1 40.1,50.1"), "latitude first"),
        ("swapped", shape_of("140.1,50.1 140.1,50.9 140.9,50.9 140.1,50.1"), "latitude first"),
        ("swapped", "<circle>40.5,50.5 10</circle>", "latitude first"),
        ("area", "<circle>50.5,40.5</circle>", "a circle is"),
        ("area", "<circle>50.5,40.5 -1</circle>", "a circle is"),
        ("area", "<circle>50.5,40.5 nan</circle>", "a circle is"),
        ("area", "<circle>50.5,40.5 40000</circle>", "over the limit of 500"),
        ("area", "<circle>89,40.5 400</circle>", "pole"),
        ("area", "<geocode><valueName>SAME</valueName><value>1</value></geocode>", "geocodes"),
        ("elsewhere", "<geocode><valueName>OKTMO</valueName><value>999</value></geocode>", "no zone"),
    ],
)
def test_broken_areas_are_refused(desk: Any, source: Make, reason: str, area: str, told: str) -> None:
    verdict = desk(signer().sign(alert(area=area)), source())
    assert isinstance(verdict, Refused), verdict
    assert verdict.reason == reason, verdict
    assert told in verdict.told


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (shape_of("50,40 50,41 51,41 51,40 50,40"), {"sw"}),  # borders of three neighbours touched
        (shape_of("49.9,39.9 49.9,41.00001 51.00001,41.00001 51.00001,39.9 49.9,39.9"), {"sw"}),  # a hair over
        (shape_of("50.5,40.5 50.5,41.5 50.6,41.5 50.6,40.5 50.5,40.5"), {"sw", "se"}),
        (shape_of("40,30 40,50 60,50 60,30 40,30"), {"sw", "se", "nw", "ne"}),
        ("<circle>50.5,40.5 0</circle>", {"sw"}),
        ("<circle>51,41 1</circle>", {"sw", "se", "nw", "ne"}),
        ("<circle>50.5,40.5 20</circle>", {"sw"}),
        ("<circle>50.5,40.5 40</circle>", {"sw", "se"}),  # a degree of longitude is 70.7 km there, half of it 35.4
        ("<geocode><valueName>OKTMO</valueName><value>102</value></geocode>", {"nw", "ne"}),
        ("<geocode><valueName>OKTMO</valueName><value>100</value></geocode>", {"sw", "se", "nw", "ne"}),
        ("<circle>50.5,40.5 1</circle><geocode><valueName>SAME</valueName><value>1</value></geocode>", {"sw"}),
    ],
)
def test_zones_of_an_area(desk: Any, source: Make, area: str, expected: set[str]) -> None:
    verdict = desk(signer().sign(alert(area=area)), source())
    assert isinstance(verdict, Accepted), verdict
    assert set(verdict.zones) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_a_shape_or_refused(text: str) -> None:
    for read in (polygon, lambda found: circle(found, 500)):
        with contextlib.suppress(BadAreaError):  # the only error, whatever the text
            assert read(text).is_valid


degree = st.floats(-80, 80).map(lambda value: round(value, 5))


@settings(max_examples=200, deadline=None)
@given(degree, degree, st.integers(3, 40), st.floats(0.01, 5))
def test_a_regular_polygon_is_read_as_it_was_written(
    latitude: float, longitude: float, corners: int, size: float
) -> None:
    """Any ring in either direction is the same area; its first point moved, it is refused; swapped, another place."""
    angles = [2 * math.pi * n / corners for n in range(corners)]
    ring = [(latitude + size * math.sin(a), longitude + size * math.cos(a)) for a in angles]
    ring.append(ring[0])
    text = " ".join(f"{y:.9f},{x:.9f}" for y, x in ring)
    shape = polygon(text)
    assert shape.contains(shapely.Point(longitude, latitude))
    assert polygon(" ".join(reversed(text.split()))).equals(shape)
    with pytest.raises(BadAreaError):
        polygon(text.rsplit(" ", 1)[0] + f" {latitude:.9f},{longitude:.9f}")
    other = swapped(shape)
    assert other is not None
    assert other.contains(shapely.Point(latitude, longitude))


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-70, 70),
    st.floats(-150, 150),
    st.floats(0.1, 500).map(lambda km: round(km, 3)),
    st.floats(0, 2 * math.pi),
)
def test_a_circle_holds_what_is_within_its_radius(
    latitude: float, longitude: float, radius_km: float, bearing: float
) -> None:
    """A point by great-circle distance (haversine, its own formula) just inside is in, one 1 % outside is out."""
    shape = circle(f"{latitude:.6f},{longitude:.6f} {radius_km:.3f}", 500)
    for share, inside in ((0.999, True), (1.01, False)):
        point = away(round(latitude, 6), round(longitude, 6), share * radius_km, bearing)
        assert shape.contains(shapely.Point(point)) is inside


def away(latitude: float, longitude: float, km: float, bearing: float) -> tuple[float, float]:
    """(longitude, latitude) so far away; by vectors, not by the formula under test."""
    y, x, far = math.radians(latitude), math.radians(longitude), km / 6_371.0
    up = (math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y))
    east = (-math.sin(x), math.cos(x), 0.0)
    north = (-math.sin(y) * math.cos(x), -math.sin(y) * math.sin(x), math.cos(y))
    found = [
        u * math.cos(far) + (n * math.cos(bearing) + e * math.sin(bearing)) * math.sin(far)
        for u, n, e in zip(up, north, east, strict=True)
    ]
    return math.degrees(math.atan2(found[1], found[0])), math.degrees(math.asin(found[2]))


def test_10_000_zones_are_matched_fast() -> None:
    """A district's polygon, and one that holds the whole city; against a plain loop for the same answer."""
    zones = {
        f"z-{x}-{y}": shapely.box(40 + x / 100, 50 + y / 100, 40 + (x + 1) / 100, 50 + (y + 1) / 100)
        for x in range(100)
        for y in range(100)
    }
    index = ZoneIndex(zones)
    small = polygon("50.113,40.127 50.139,40.131 50.141,40.153 50.113,40.127")
    started = time.perf_counter()
    for _ in range(100):
        found = index.touched(small)
    assert (time.perf_counter() - started) / 100 < 0.01
    assert found == {name for name, zone in zones.items() if zone.buffer(-2e-5).intersects(small)}
    whole = polygon("49.9,39.9 49.9,41.1 51.1,41.1 51.1,39.9 49.9,39.9")
    started = time.perf_counter()
    assert len(index.touched(whole)) == 10_000
    assert time.perf_counter() - started < 1
