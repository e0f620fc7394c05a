"""The IWA balance as a Sankey diagram: plain SVG, one drawing for a wide screen and one for a phone.

SVG as a picture's address: st.html drops SVG in the page and keeps that; Vega draws no Sankey and nothing is fetched.
The drawing knows light and dark by itself (`prefers-color-scheme`), as the pages do.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from apps.streamlit.look import CHART, PALETTE
from apps.streamlit.words import Words

METERED, UNBILLED, APPARENT, REAL = "#5C9DB6", "#A9B4BC", "#D9A23B", CHART["loss"]
GAP, BAR, ROW = 7.0, 12.0, 36.0


@dataclass(frozen=True)
class Volumes:
    """Of one balance, m³. real may be negative: then a meter is wrong, and it is drawn as nothing."""

    billed_metered: float
    billed_unmetered: float
    unbilled: float
    apparent: float
    real: float
    losses_pm: float = 0.0

    @property
    def system_input(self) -> float:
        return self.billed_metered + self.billed_unmetered + self.unbilled + self.apparent + self.real


@dataclass(frozen=True)
class Leaf:
    code: str
    m3: float
    colour: str
    is_loss: bool


def leaves(told: Volumes) -> list[Leaf]:
    """What is there, in the table's order; a term of nothing is left out."""
    every = [
        Leaf("billed_metered", told.billed_metered, METERED, False),
        Leaf("billed_unmetered", told.billed_unmetered, CHART["metered"], False),
        Leaf("unbilled", told.unbilled, UNBILLED, False),
        Leaf("apparent", told.apparent, APPARENT, True),
        Leaf("real", told.real, REAL, True),
    ]
    return [one for one in every if one.m3 > 0]


def heights(values: Sequence[float], room: float) -> list[float]:
    """Heights in proportion to the values, as large as lets every one have a row of ROW for its words."""
    low, high = 0.0, room / max(sum(values), 1e-9)
    for _ in range(40):
        scale = (low + high) / 2
        need = sum(max(value * scale, ROW) + GAP for value in values) - GAP
        low, high = (scale, high) if need <= room else (low, scale)
    return [value * low for value in values]


def draw(told: Volumes, words: Words, *, width: int, height: int, words_px: int, size_px: float) -> str:
    """The SVG. words_px: room at the right for the leaves' words."""
    parts = leaves(told)
    tall = heights([one.m3 for one in parts], height - 40)
    right = width - words_px
    x = [0.0, (right - BAR) * 0.46, right - BAR]
    total = sum(tall)
    authorised = sum(h for h, one in zip(tall, parts, strict=True) if not one.is_loss)
    lost = total - authorised
    top = 34.0
    split = 26.0 if authorised and lost else 0.0
    middle = {False: top, True: top + authorised + split}
    drawn: list[str] = []
    whole = told.system_input
    for is_loss, tall_one, source in ((False, authorised, top), (True, lost, top + authorised)):
        if tall_one <= 0:
            continue
        colour = REAL if is_loss else METERED
        drawn.append(_ribbon(x[0] + BAR, source, x[1], middle[is_loss], tall_one, colour))
        drawn.append(_bar(x[1], middle[is_loss], tall_one, colour))
        name = words("loss.losses" if is_loss else "loss.authorised")
        share = sum(one.m3 for one in parts if one.is_loss is is_loss) / whole if whole else None
        drawn.append(_text(x[1], middle[is_loss] - 6, f"{name} {words.percent(share, 0)}", size_px - 1, "m"))
    drawn.append(_bar(x[0], top, total, CHART["inflow"]))
    drawn.append(_text(0, 12, f"{words('loss.system_input')}: {words.quantity(round(whole), 'm3')}", size_px, "b"))
    at, left = top, dict(middle)
    for tall_one, one in zip(tall, parts, strict=True):
        drawn.append(_ribbon(x[1] + BAR, left[one.is_loss], x[2], at, tall_one, one.colour))
        drawn.append(_bar(x[2], at, max(tall_one, 1.5), one.colour))
        place = at + max(tall_one, ROW) / 2 if tall_one > ROW else at + size_px - 2
        drawn.append(_text(right + 8, place, words(f"loss.{one.code}"), size_px, "b"))
        volume = f"{words.quantity(round(one.m3), 'm3')} · {words.percent(one.m3 / whole, 1)}"
        drawn.append(_text(right + 8, place + size_px + 2, volume, size_px - 1, "m"))
        left[one.is_loss] += tall_one
        at += max(tall_one, ROW) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="Source Sans,PT Sans,'
        f'Segoe UI,Roboto,Noto Sans,sans-serif"><style>{_style()}</style>{"".join(drawn)}</svg>'
    )


def _style() -> str:
    light, dark = ({name: pair[mode] for name, pair in PALETTE.items()} for mode in (0, 1))
    return (
        f".b{{fill:{light['ink']};font-weight:600}}.m{{fill:{light['muted']}}}"
        f"@media(prefers-color-scheme:dark){{.b{{fill:{dark['ink']}}}.m{{fill:{dark['muted']}}}}}"
    )


def _bar(x: float, y: float, tall: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{BAR}" height="{tall:.1f}" rx="1.5" fill="{colour}"/>'


def _ribbon(x0: float, y0: float, x1: float, y1: float, tall: float, colour: str) -> str:
    half = (x0 + x1) / 2
    tall = max(tall, 0.8)
    return (
        f'<path d="M{x0:.1f} {y0:.1f}C{half:.1f} {y0:.1f} {half:.1f} {y1:.1f} {x1:.1f} {y1:.1f}V{y1 + tall:.1f}'
        f'C{half:.1f} {y1 + tall:.1f} {half:.1f} {y0 + tall:.1f} {x0:.1f} {y0 + tall:.1f}Z" '
        f'fill="{colour}" opacity=".38"/>'
    )


def _text(x: float, y: float, text: str, size: float, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" class="{kind}">{escape(text)}</text>'


def show(told: Volumes, words: Words) -> None:
    """Both drawings; the style sheet shows the one that fits. The picture's text is said to screen readers too."""
    said = "; ".join(f"{words(f'loss.{one.code}')} {words.quantity(one.m3, 'm3')}" for one in leaves(told))
    wide = draw(told, words, width=980, height=340, words_px=250, size_px=15)
    phone = draw(told, words, width=360, height=400, words_px=168, size_px=13)
    pictures = "".join(
        f'<img class="{name}" alt="{escape(said, quote=True)}" src="data:image/svg+xml;base64,'
        f'{b64encode(drawing.encode()).decode()}">'
        for name, drawing in (("g-wide", wide), ("g-phone", phone))
    )
    st.html(f'<figure class="g-sankey">{pictures}</figure>')
