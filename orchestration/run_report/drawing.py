"""The map and the curve of answers as SVG: no tiles, no library, no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from shapely.geometry.base import BaseGeometry

from city.geometry import features
from orchestration.run_report.gather import RunReport
from orchestration.run_report.words import COLOURS, RESULTS

WIDTH = 760
CURVE_POINTS = 500
"""10,000 answers are drawn as every twentieth."""
FONT = 'font-family="Libertinus Serif, PT Sans, Arial, sans-serif"'
INK, PALE, ZONE, WATER = "#1e293b", "#94a3b8", "#f1f5f9", "#dbeafe"


class _Frame:
    """Longitude and latitude to pixels: north up, one scale both ways at the middle latitude."""

    def __init__(self, bounds: tuple[float, float, float, float], width: int) -> None:
        west, south, east, north = bounds
        self._west, self._north = west, north
        self._squeeze = math.cos(math.radians((south + north) / 2))
        self._scale = (width - 20) / max((east - west) * self._squeeze, 1e-6)
        self.height = round(20 + (north - south) * self._scale)

    def point(self, longitude: float, latitude: float) -> tuple[float, float]:
        x = 10 + (longitude - self._west) * self._squeeze * self._scale
        return round(x, 1), round(10 + (self._north - latitude) * self._scale, 1)

    def path(self, shape: BaseGeometry, *, closed: bool) -> str:
        parts = getattr(shape, "geoms", [shape])
        lines = [part.exterior if closed else part for part in parts]
        drawn = [" L".join("{} {}".format(*self.point(x, y)) for x, y in line.coords) for line in lines]
        return " ".join(f"M{points}{' Z' if closed else ''}" for points in drawn)


def draw_map(report: RunReport) -> str:
    """Zones (those of the run stronger), streets and water pale, each commanded device as it answered."""
    city = report.city
    zones = features(city, "zones")
    bounds = _bounds(each.geometry for each in zones)
    frame = _Frame(bounds, WIDTH)
    meant = {row["zone_id"] for row in report.devices}
    parts = [f'<path d="{frame.path(each.geometry, closed=True)}" fill="{WATER}"/>' for each in features(city, "water")]
    for each in zones:
        strong = each.properties.zone_id in meant
        stroke = f'stroke="{INK}" stroke-width="{2 if strong else 0.7}"'
        fill = "#fef3c7" if strong else ZONE
        parts.append(f'<path d="{frame.path(each.geometry, closed=True)}" fill="{fill}" fill-opacity="0.6" {stroke}/>')
    streets = "".join(frame.path(each.geometry, closed=False) + " " for each in features(city, "streets"))
    parts.append(f'<path d="{streets}" fill="none" stroke="{PALE}" stroke-width="0.8"/>')
    for each in zones:
        x, y = frame.point(each.longitude, each.latitude)
        parts.append(_text(x, y, each.properties.name_ru, size=13, anchor="middle"))
    for row in report.devices:
        if row["latitude"] is not None:
            x, y = frame.point(row["longitude"], row["latitude"])
            parts.append(_mark(x, y, row["result"], big=row["kind"] == "door"))
    return _svg(WIDTH, frame.height + 26, [*parts, _legend(frame.height + 16)])


def draw_answers(answers: Sequence[float], expected: int) -> str:
    """How many of the expected answers had come, over milliseconds (logarithmic): a curve that ends at the last one."""
    width, height, left, bottom = WIDTH, 220, 46, 30
    if not answers:
        return _svg(width, 40, [_text(10, 24, "ответов не было · there were no answers")])
    low, high = max(1.0, answers[0] * 0.5), max(answers[-1] * 1.2, answers[0] * 2, 2.0)

    def at(ms: float, count: float) -> tuple[float, float]:
        x = left + (width - left - 16) * math.log(max(ms, low) / low) / math.log(high / low)
        return round(x, 1), round((height - bottom) - (height - bottom - 14) * count / max(expected, 1), 1)

    steps = [at(low, 0)]
    each = max(1, len(answers) // CURVE_POINTS)
    for number in range(each, len(answers) + 1, each):
        ms = answers[number - 1]
        steps += [(at(ms, 0)[0], steps[-1][1]), at(ms, number)]
    steps.append(at(high, len(answers)))
    curve = " L".join(f"{x} {y}" for x, y in steps)
    ticks = [10**power for power in range(7) if low <= 10**power <= high] or [round(answers[-1])]
    parts = [
        f'<path d="M{left} 14 V{height - bottom} H{width - 16}" fill="none" stroke="{PALE}"/>',
        f'<path d="M{curve}" fill="none" stroke="{COLOURS["done"]}" stroke-width="2"/>',
        _text(left - 6, 20, f"{expected}", anchor="end"),
        _text(left - 6, height - bottom, "0", anchor="end"),
    ]
    for tick in ticks:
        x, _ = at(tick, 0)
        parts.append(f'<path d="M{x} {height - bottom} v5" stroke="{PALE}"/>')
        parts.append(_text(x, height - bottom + 18, f"{tick:,} мс".replace(",", " "), anchor="middle"))
    return _svg(width, height, parts)


def _bounds(shapes: Iterable[BaseGeometry]) -> tuple[float, float, float, float]:
    found = [shape.bounds for shape in shapes]
    west, south, east, north = zip(*found, strict=True)
    return min(west), min(south), max(east), max(north)


def _mark(x: float, y: float, result: str, *, big: bool) -> str:
    """Done: a disc; refused or failed: a square on its corner; silent: a cross."""
    colour, r = COLOURS[result], 7 if big else 4
    if result in ("done", "would_do"):
        return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{colour}" stroke="white"/>'
    if result == "silent":
        d = f"M{x - r} {y - r} L{x + r} {y + r} M{x - r} {y + r} L{x + r} {y - r}"
        return f'<path d="{d}" stroke="{colour}" stroke-width="{3 if big else 2}"/>'
    return f'<path d="M{x} {y - r} L{x + r} {y} L{x} {y + r} L{x - r} {y} Z" fill="{colour}" stroke="white"/>'


def _legend(y: float) -> str:
    parts, x = [], 14.0
    for result in ("done", "refused", "silent"):
        parts.append(_mark(x, y, result, big=True))
        parts.append(_text(x + 14, y + 4, RESULTS[result]))
        x += 190
    return "".join(parts)


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" {FONT} font-size="{size}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    return f"{head}{''.join(parts)}</svg>"
