"""The pieces that pages are made of, as HTML with every value escaped: verdicts, tiles, tables, notices.

Own HTML and not `st.dataframe` for what people read: it wraps on a phone, a screen reader reads it, it prints,
and numbers stand in tabular figures. Engineers' tables stay `st.dataframe` (sorting, copying, thousands of rows).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from apps.streamlit.look import CHART, SIGNS, Level

HISTORY_LINE, TARGET_LINE = CHART["inflow"], CHART["target"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table; `level` puts its sign and colour before the text."""

    text: str
    level: Level | None = None
    number: bool = False
    note: str = ""
    link: str = ""
    """Where a press on the text leads: tel:… makes a telephone dial."""


@dataclass(frozen=True)
class Tile:
    """One figure with what it means."""

    label: str
    value: str
    unit: str = ""
    level: Level = "none"
    change: str = ""
    change_level: Level = "none"
    foot: str = ""
    history: Sequence[float | None] = ()
    target: float | None = None
    link: str = ""


def title(text: str, beside: str = "") -> None:
    st.html(f'<header class="g-title"><h1>{escape(text)}</h1><span>{escape(beside)}</span></header>')


def heading(text: str, note: str = "") -> None:
    beside = f"<span>{escape(note)}</span>" if note else ""
    st.html(f'<div class="g-heading"><h2>{escape(text)}</h2>{beside}</div>')


def verdict(level: Level, text: str, detail: str = "") -> None:
    """The one sentence on top of a page."""
    more = f"<p>{escape(detail)}</p>" if detail else ""
    st.html(
        f'<section class="g-verdict g-{level}" role="status"><b aria-hidden="true">{SIGNS[level]}</b>'
        f"<div><strong>{escape(text)}</strong>{more}</div></section>"
    )


def notice(text: str, remedy: str = "", command: str = "") -> None:
    """An empty state or a fault in words, with what to do and the command to run."""
    more = f"<p>{escape(remedy)}</p>" if remedy else ""
    run = f"<code>{escape(command)}</code>" if command else ""
    st.html(f'<section class="g-notice"><strong>{escape(text)}</strong>{more}{run}</section>')


def caption(text: str) -> None:
    st.html(f'<p class="g-caption">{escape(text)}</p>')


def tiles(items: Iterable[Tile]) -> None:
    st.html(f'<div class="g-tiles">{"".join(_tile(item) for item in items)}</div>')


def _tile(tile: Tile) -> str:
    unit = f"<small>{escape(tile.unit)}</small>" if tile.unit else ""
    sign = f'<i aria-hidden="true">{SIGNS[tile.level]}</i>' if tile.level != "none" else ""
    change = f'<em class="g-{tile.change_level}">{escape(tile.change)}</em>' if tile.change else ""
    body = (
        f'<div class="g-label">{sign}{escape(tile.label)}</div>'
        f'<div class="g-value">{escape(tile.value)}{unit}</div>'
        f"{_spark(tile.history, tile.target)}"
        f'<div class="g-foot">{change}<span>{escape(tile.foot)}</span></div>'
    )
    if tile.link:
        return f'<a class="g-tile g-{tile.level}" href="{escape(tile.link, quote=True)}">{body}</a>'
    return f'<div class="g-tile g-{tile.level}">{body}</div>'


def _spark(history: Sequence[float | None], target: float | None) -> str:
    """A small line of the last days with the target dashed; nothing below two values."""
    known = [(index, value) for index, value in enumerate(history) if value is not None]
    if len(known) < 2:
        return ""
    values = [value for _, value in known] + ([target] if target is not None else [])
    low, high = min(values), max(values)
    width, height = max(len(history) - 1, 1), (high - low) or 1.0

    def at(value: float) -> float:
        return round(27 - (value - low) / height * 24, 2)

    points = " ".join(f"{index / width * 100:.2f},{at(value)}" for index, value in known)
    line = (
        f'<path d="M0 {at(target)}H100" stroke="{TARGET_LINE}" stroke-dasharray="3 3"/>' if target is not None else ""
    )
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 30" preserveAspectRatio="none" fill="none">'
        f'<style>*{{vector-effect:non-scaling-stroke}}</style>{line}<polyline points="{points}" '
        f'stroke="{HISTORY_LINE}" stroke-width="1.8" stroke-linejoin="round"/></svg>'
    )
    # st.html drops inline SVG, and keeps a picture whose address is the drawing itself
    return f'<img class="g-spark" alt="" src="data:image/svg+xml;base64,{b64encode(drawing.encode()).decode()}">'


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell | str]], caption: str = "") -> None:
    """A table for people; on a phone each row becomes a card with its columns' names."""
    rows = list(rows)
    first = rows[0] if rows else []
    right = [isinstance(cell, Cell) and cell.number for cell in first]
    head = "".join(
        f'<th scope="col"{" class=g-number" if index < len(right) and right[index] else ""}>{escape(name)}</th>'
        for index, name in enumerate(columns)
    )
    body = "".join(f"<tr>{''.join(_cell(cell, columns[i]) for i, cell in enumerate(row))}</tr>" for row in rows)
    named = f"<caption>{escape(caption)}</caption>" if caption else ""
    st.html(f'<div class="g-table"><table>{named}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _cell(cell: Cell | str, column: str) -> str:
    one = cell if isinstance(cell, Cell) else Cell(cell)
    sign = f'<i aria-hidden="true">{SIGNS[one.level]}</i>' if one.level else ""
    note = f"<small>{escape(one.note)}</small>" if one.note else ""
    kind = " ".join(filter(None, (f"g-{one.level}" if one.level else "", "g-number" if one.number else "")))
    text = f'<a href="{escape(one.link, quote=True)}">{escape(one.text)}</a>' if one.link else escape(one.text)
    return f'<td class="{kind}" data-column="{escape(column, quote=True)}"><div>{sign}{text}{note}</div></td>'


def legend(items: Iterable[tuple[tuple[int, int, int], str, str]]) -> None:
    """Colour, name and note (a count, say) of what a map shows."""
    entries = "".join(
        f'<li><i style="background:rgb{colour}"></i>{escape(name)}<small>{escape(note)}</small></li>'
        for colour, name, note in items
    )
    st.html(f'<ul class="g-legend">{entries}</ul>')


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values of one thing, one under another."""
    entries = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    st.html(f'<dl class="g-facts">{entries}</dl>')


def block(text: str) -> None:
    """Foreign text as it came, never interpreted."""
    st.html(f'<pre class="g-block">{escape(text)}</pre>')
