"""Pieces of the duty officer's page as HTML, every value escaped: banner, run, whom to call, timeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

import streamlit as st

from actuation.reflex.shapes import DeviceRow, RunRow, TimelineLine
from apps.streamlit import duty_judge, parts
from apps.streamlit.duty_judge import Count
from apps.streamlit.look import SIGNS
from apps.streamlit.place import Place
from apps.streamlit.words import Words


def banner(text: str) -> None:
    """Nobody may take a drill for the real thing."""
    st.html(f'<div class="d-banner" role="alert">{escape(text)}</div>')


def kind_of(run: RunRow) -> str:
    if run["waiting_confirmation"]:
        return "wait"
    if run["mode"] == "live":
        return "live" if duty_judge.loud(run) else "act"
    return run["mode"]


def run_card(run: RunRow, tally: Count, words: Words, place: Place, now: datetime, alone: bool) -> None:
    """One activation: what, where, since when, and the answers as they come in. alone: the sentence above names it."""
    kind = kind_of(run)
    title = run["title_ru"] if words.language == "ru" else run["title_en"]
    zones = ", ".join(place.called(zone, words.language) for zone in run["zones"])
    facts = ["" if alone else run["headline"], zones, words("duty.since", age=span(run["started_at"], now, words))]
    if run["ends_at"] is not None:
        ends = duty_judge.moment(run["ends_at"])
        facts.append(words("duty.until", time=words.clock(ends)))
    if run["started_by"]:
        facts.append(words("duty.by", name=run["started_by"]))
    shown = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    st.html(
        f'<section class="d-run d-{kind}"><header><b>{escape(words(f"duty.kind_{kind}"))}</b>'
        f"<strong>{escape(title)}</strong><p>{shown}</p></header>"
        f"{_figures(run, tally, words) if tally.expected else ''}</section>"
    )


def span(since: str, now: datetime, words: Words) -> str:
    at = duty_judge.moment(since) or now
    return words.span(max(now - at, timedelta(0)))


def _figures(run: RunRow, tally: Count, words: Words) -> str:
    """Commanded, answered and sensed: three numbers side by side, and what is missing in colour."""
    cells = [
        _figure(words("duty.commanded"), tally.expected, ""),
        _figure(words("duty.answered"), tally.done, "good"),
        _figure(words("duty.sensed_open"), tally.opened, "good" if run["mode"] == "live" else ""),
        _figure(words("duty.silent"), tally.silent, "bad" if tally.silent else ""),
    ]
    if tally.waiting:
        cells.insert(3, _figure(words("duty.waiting"), tally.waiting, "warn"))
    if tally.refused + tally.failed:
        cells.append(_figure(words("duty.refused_failed"), tally.refused + tally.failed, "bad"))
    widths = [
        ("good", tally.done), ("bad", tally.refused + tally.failed + tally.silent), ("warn", tally.waiting)
    ]  # fmt: skip
    bar = "".join(f'<i class="d-{level}" style="flex-grow:{count}"></i>' for level, count in widths if count)
    slow = [command["p99_ms"] for command in run["commands"] if command["p99_ms"] is not None]
    note = words("duty.p99", ms=words.number(max(slow), 0)) if slow else ""
    return f'<div class="d-figures">{"".join(cells)}</div><div class="d-bar">{bar}</div><small>{escape(note)}</small>'


def _figure(label: str, value: int, level: str) -> str:
    return f'<div class="d-figure {f"d-{level}" if level else ""}"><b>{value}</b><span>{escape(label)}</span></div>'


def calls(rows: Sequence[DeviceRow], words: Words, now: datetime, contact: dict[str, str]) -> None:
    """Who must be called: device, where it is, why, and a telephone that dials."""
    items = []
    for row in rows:
        stand = duty_judge.standing(row, now)
        name = row["name_ru"] if words.language == "ru" else row["name_en"]
        whom = contact.get(row["device_id"], "")
        why = words(f"duty.stand_{stand}")
        reason = f": {_reason(row['reason'], words)}" if row["reason"] else ""
        sensed = words("duty.sensor_says", state=state(row["sensed"], words))
        items.append(
            f'<li class="d-call d-{stand}"><div><i aria-hidden="true">{SIGNS[duty_judge.LEVEL[stand]]}</i>'
            f"<strong>{escape(row['address'] or name)}</strong><span>{escape(name)}</span>"
            f"<small>{escape(why + reason)}. {escape(sensed)}</small></div>{_call(whom)}</li>"
        )
    st.html(f'<ul class="d-calls">{"".join(items)}</ul>')


def _call(whom: str) -> str:
    """A wide button that dials; a contact without a telephone is only named."""
    if not whom:
        return ""
    link, (name, number) = duty_judge.dial(whom), duty_judge.name_and_number(whom)
    if not link:
        return f"<em>{escape(whom)}</em>"
    return f'<a href="{escape(link, quote=True)}"><span>{escape(name)}</span>{escape(number)}</a>'


def book(entries: Iterable[tuple[str, str]]) -> None:
    """Places and whom to call there, for when nothing else is known."""
    items = "".join(
        f'<li class="d-call"><div><strong>{escape(place)}</strong></div>{_call(whom)}</li>' for place, whom in entries
    )
    st.html(f'<ul class="d-calls">{items}</ul>')


def state(sensed: str | None, words: Words) -> str:
    return words("duty.unknown") if sensed is None else words.maybe(f"sensed.{sensed}", sensed)


def devices(rows: Sequence[DeviceRow], words: Words, now: datetime, limit: int) -> None:
    """Every device: commanded, answered, sensed in columns of their own."""
    columns = [words(f"duty.column_{name}") for name in ("device", "commanded", "answered", "sensed")]
    table: list[list[parts.Cell | str]] = []
    for row in rows[:limit]:
        stand = duty_judge.standing(row, now)
        name = row["name_ru"] if words.language == "ru" else row["name_en"]
        answered, note = _answer(row, stand, words)
        commanded = "—" if row["commanded"] is None else words.maybe(f"action.{row['commanded']}", row["commanded"])
        drill = words("duty.in_drill") if row["mode"] == "drill" else ""
        table.append(
            [
                parts.Cell(name, note=row["address"] or ""),
                parts.Cell(commanded, note=" ".join(filter(None, (_clock(row["commanded_at"], words), drill)))),
                parts.Cell(answered, duty_judge.LEVEL[stand] if stand != "idle" else None, note=note),
                parts.Cell(state(row["sensed"], words), note=words.age(duty_judge.moment(row["sensed_at"]), now)),
            ]
        )
    parts.table(columns, table)
    if len(rows) > limit:
        parts.caption(words("duty.more_devices", shown=limit, all=len(rows)))


def _clock(text: str | None, words: Words) -> str:
    at = duty_judge.moment(text)
    return "" if at is None else f"{words.local(at):%H:%M:%S}"


def _answer(row: DeviceRow, stand: str, words: Words) -> tuple[str, str]:
    if stand == "idle":
        return "—", ""
    if row["answered"] is None:
        return words(f"duty.stand_{stand}"), ""
    said = words.maybe(f"answer.{row['answered']}", row["answered"])
    took = words("duty.took", ms=words.number(row["answer_ms"], 0)) if row["answer_ms"] is not None else ""
    reason = _reason(row["reason"], words) if row["reason"] else ""
    return said, ", ".join(filter(None, (reason, took)))


def _reason(reason: str, words: Words) -> str:
    return words.maybe(f"reason.{reason}", reason)


def timeline(lines: Iterable[TimelineLine], words: Words, place: Place) -> None:
    """The ledger as a person reads it: when, what, of which device, by whom."""
    items = []
    for line in lines:
        at = duty_judge.moment(line["at"])
        clock = f"{words.local(at):%H:%M:%S}" if at is not None else ""
        items.append(
            f'<li class="d-line d-line-{escape(line["kind"], quote=True)}"><time>{clock}</time>'
            f"<b>{escape(words.maybe('ledger.' + line['kind'], line['kind']))}</b>"
            f"<span>{escape(_told(line, words, place))}</span></li>"
        )
    st.html(f'<ol class="d-lines">{"".join(items)}</ol>')


def _told(line: TimelineLine, words: Words, place: Place) -> str:
    target = (line.get("target") or "").partition(":")[2]
    about = line.get("device_id") or target
    action, reason = line.get("action"), line.get("reason")
    told = [
        words.maybe(f"action.{action}", action) if action else "",
        place.called(about, words.language) if about else "",
        (state(reason, words) if line["kind"] == "sensed" else _reason(reason, words)) if reason else "",
        str(line.get("by") or ""),
        words("duty.in_drill") if line.get("mode") == "drill" else "",
    ]
    shown = ", ".join(part for part in told if part)
    return shown or str(line.get("entity", ""))
