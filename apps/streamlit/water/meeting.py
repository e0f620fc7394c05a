"""The utility's meeting: what the page says, as tables; written as XLSX for the engineer and as PDF for the table.

Numbers are numbers in the XLSX and words in the PDF. The PDF is set by typst from JSON as text, so nothing in it is
read as markup; its fonts are those of typst's wheel (Cyrillic on a machine without a single font).
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from apps.streamlit.water import balance as balances
from apps.streamlit.water import facts
from apps.streamlit.words import Words
from domains.water.survey import Suspicion

TEMPLATE = Path(__file__).with_name("meeting.typ")
MOST_ROWS = 40

Value = str | float | int | datetime | date | None


@dataclass(frozen=True)
class Table:
    """columns: heading and unit of numbers (""), in the reader's language."""

    heading: str
    columns: Sequence[tuple[str, str]]
    rows: list[list[Value]] = field(default_factory=list)


@dataclass(frozen=True)
class Meeting:
    title: str
    todo: str
    period: str
    tables: list[Table]


def gather(
    *,
    todo: str,
    city: str,
    chosen: tuple[date, date],
    balance_days: pl.DataFrame,
    leaks: facts.Leaks,
    suspicions: Sequence[Suspicion],
    names: Any,
    words: Words,
    now: datetime,
) -> Meeting:
    """names: called(key, language). Most rows a table: `MOST_ROWS`, the dearest first."""

    def called(code: str | None) -> str:
        return names(code, words.language) if code else ""

    tables = [_balance(balance_days, called, words)]
    tables.append(
        Table(
            words("loss.all_leaks"),
            [(words("loss.pipe"), ""), (words("water.zone"), ""), (words("loss.flow"), "m3/h"),
             (words("loss.cost_a_day"), "RUB"), (words("loss.sure"), "share"), (words("loss.first_seen"), ""),
             (words("loss.crew"), "")],
            [
                [one.pipe or "—", called(one.zone_id), one.flow_m3_h, round(one.cost_day or 0), one.confidence,
                 words.local(one.first_seen).replace(tzinfo=None),
                 words(f"stage_order.{order.stage}") if (order := leaks.order_of(one.finding_id))
                 else words("loss.unsent")]
                for one in leaks.running[:MOST_ROWS]
            ],
        )
    )  # fmt: skip
    tables.append(
        Table(
            words("loss.orders"),
            [(words("loss.where"), ""), (words("loss.contractor"), ""), (words("loss.stage"), ""),
             (words("loss.deadline"), ""), (words("loss.late"), ""), (words("loss.spent"), "RUB"),
             (words("loss.saved"), "m3/h")],
            [
                [one.place, one.contractor, words(f"stage_order.{one.stage}"),
                 words.local(one.deadline_at).replace(tzinfo=None), "!" if one.is_late(now) else "", one.cost_rub,
                 one.saved_m3_h]
                for one in leaks.orders[:MOST_ROWS]
            ],
        )
    )  # fmt: skip
    index = 0 if words.language == "ru" else 1
    tables.append(
        Table(
            words("loss.survey"),
            [(words("loss.stop"), ""), (words("loss.expected"), "RUB"), (words("loss.why"), "")],
            [[called(one.house_id), round(one.expected_rub), "; ".join(pair[index] for pair in one.reasons)]
             for one in suspicions[:MOST_ROWS]],
        )
    )  # fmt: skip
    period = f"{words.day(chosen[0])} — {words.day(chosen[1])}"
    return Meeting(f"{words('loss.meeting_title')}: {city}", todo, period, tables)


def _balance(days: pl.DataFrame, called: Any, words: Words) -> Table:
    columns = [(words("water.zone"), ""), (words("loss.system_input"), "m3")]
    columns += [(words(f"loss.{term}"), "m3") for term in balances.TERMS]
    columns += [("± 95 %", "m3"), (words("loss.in_roubles"), "RUB")]
    rows: list[list[Value]] = []
    for zone in [*sorted(days["zone_id"].unique().to_list()), None] if not days.is_empty() else []:
        part = balances.of_zone(days, zone)
        told = balances.volumes(part)
        if told is None:
            continue
        name = called(zone) if zone else words("water.all_zones")
        rows.append([name, told.system_input, *(getattr(told, term) for term in balances.TERMS), told.losses_pm,
                     float(part["losses_rub"].fill_null(0).sum())])  # fmt: skip
    return Table(words("loss.balance"), columns, rows)


def xlsx(meeting: Meeting, words: Words) -> bytes:
    """One sheet a table; no formula is ever written (a name that begins with = stays text)."""
    import xlsxwriter

    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold, moment = (
        book.add_format({"bold": True, "text_wrap": True}),
        book.add_format({"num_format": "dd.mm.yyyy hh:mm"}),
    )
    forms = {"m3": "#,##0.0", "m3/h": "#,##0.00", "RUB": "#,##0", "share": "0%", "": "General"}
    first = book.add_worksheet(words("loss.sheet")[:31])
    first.set_column(0, 0, 110)
    for row, text in enumerate((meeting.title, meeting.period, meeting.todo)):
        first.write_string(row, 0, text, bold if row == 0 else None)
    for table in meeting.tables:
        sheet = book.add_worksheet(table.heading[:31])
        sheet.freeze_panes(1, 0)
        for column, (name, unit) in enumerate(table.columns):
            heading = f"{name}, {words.unit(unit)}" if unit and unit != "share" else name
            sheet.write_string(0, column, heading, bold)
            sheet.set_column(column, column, 18, book.add_format({"num_format": forms[unit], "valign": "top"}))
        for row, values in enumerate(table.rows, 1):
            for column, value in enumerate(values):
                if isinstance(value, datetime):
                    sheet.write_datetime(row, column, value, moment)
                elif isinstance(value, int | float):
                    sheet.write_number(row, column, value)
                elif value is not None:
                    sheet.write_string(row, column, str(value))
    book.close()
    return made.getvalue()


def pdf(meeting: Meeting, words: Words) -> bytes:
    import typst

    said = {
        "title": meeting.title, "period": meeting.period, "todo_heading": words("loss.todo"), "todo": meeting.todo,
        "language": words.language, "empty": words("app.no_data"),
        "tables": [
            {
                "heading": table.heading,
                "columns": [f"{name}, {words.unit(unit)}" if unit and unit != "share" else name
                            for name, unit in table.columns],
                "rows": [[_said(value, unit, words) for value, (_, unit) in zip(row, table.columns, strict=True)]
                         for row in table.rows],
                "numeric": [bool(unit) for _, unit in table.columns],
            }
            for table in meeting.tables
        ],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="gorodok-meeting-") as name:
        folder = Path(name)
        shutil.copyfile(TEMPLATE, folder / TEMPLATE.name)
        (folder / "meeting.json").write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
        made: Any = typst.compile(
            folder / TEMPLATE.name, root=folder, font_paths=[], ignore_system_fonts=True, format="pdf"
        )
    return bytes(made)


def _said(value: Value, unit: str, words: Words) -> str:
    if isinstance(value, datetime):
        return f"{value:%d.%m.%Y %H:%M}"
    if isinstance(value, int | float):
        return words.percent(value, 0) if unit == "share" else words.number(value, 0 if unit in ("m3", "RUB") else None)
    return "" if value is None else str(value)
