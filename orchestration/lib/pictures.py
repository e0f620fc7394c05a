"""Small pictures as Markdown for Dagster's UI: SVG inside the page, so nothing is fetched and no library draws."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from datetime import datetime

WIDTH, HEIGHT = 480, 120
INK = "#2563eb"
PALE = "#94a3b8"


def bars(rows: Sequence[tuple[datetime, int]]) -> str:
    """Rows by hour as bars, with the first and last hour (UTC) and the highest bar's number."""
    if not rows:
        return "—"
    highest = max(count for _, count in rows)
    step = WIDTH / len(rows)
    drawn = [
        f'<rect x="{i * step:.1f}" y="{HEIGHT - 20 - (HEIGHT - 40) * count / highest:.1f}" '
        f'width="{max(step - 1, 1):.1f}" height="{(HEIGHT - 40) * count / highest:.1f}" fill="{INK}"/>'
        for i, (_, count) in enumerate(rows)
    ]
    first, last = rows[0][0], rows[-1][0]
    text = _label(2, 12, f"max {highest:,}") + _label(2, HEIGHT - 5, f"{first:%Y-%m-%d %H:%M}")
    return _markdown("rows by hour", [*drawn, text, _label(WIDTH - 92, HEIGHT - 5, f"{last:%m-%d %H:%M} UTC")])


def dots(places: Sequence[tuple[float, float]]) -> str:
    """(longitude, latitude) as dots, north up, equal scale both ways at the middle latitude."""
    if not places:
        return "—"
    west, east = min(lon for lon, _ in places), max(lon for lon, _ in places)
    south, north = min(lat for _, lat in places), max(lat for _, lat in places)
    squeeze = math.cos(math.radians((south + north) / 2))
    size = 240
    scale = (size - 10) / max((east - west) * squeeze, north - south, 1e-6)
    drawn = [
        f'<circle cx="{5 + (lon - west) * squeeze * scale:.1f}" cy="{5 + (north - lat) * scale:.1f}" r="1.5"/>'
        for lon, lat in places
    ]
    label = _label(5, size + 14, f"{south:.3f}…{north:.3f} N, {west:.3f}…{east:.3f} E")
    return _markdown("places", [f'<g fill="{INK}" fill-opacity="0.5">', *drawn, "</g>", label], size, size + 20)


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="11" fill="{PALE}">{text}</text>'


def _markdown(title: str, parts: Sequence[str], width: int = WIDTH, height: int = HEIGHT) -> str:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{"".join(parts)}</svg>'
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
