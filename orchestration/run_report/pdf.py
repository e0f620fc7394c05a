"""The report as PDF, by typst and the fonts in its wheel: Cyrillic renders on a machine without a single font."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import typst

from orchestration.run_report.drawing import draw_answers, draw_map
from orchestration.run_report.gather import RunReport
from orchestration.run_report.table import Table, summary, tables, title
from orchestration.run_report.words import HEADINGS

TEMPLATE = Path(__file__).with_name("report.typ")


def compile_report(report: RunReport, form: Literal["pdf", "png"] = "pdf") -> list[bytes]:
    """One document as PDF, or each page as PNG (for looking at it). Raises typst.TypstError."""
    with tempfile.TemporaryDirectory(prefix="gorodok-report-") as name:
        folder = Path(name)
        shutil.copyfile(TEMPLATE, folder / TEMPLATE.name)
        (folder / "report.json").write_text(json.dumps(_said(report), ensure_ascii=False))
        (folder / "map.svg").write_text(draw_map(report))
        (folder / "answers.svg").write_text(draw_answers(report.answers, report.run["expected"]))
        made: Any = typst.compile(
            folder / TEMPLATE.name, root=folder, font_paths=[], ignore_system_fonts=True, format=form, ppi=110
        )
    return list(made) if isinstance(made, list) else [made]


def _said(report: RunReport) -> dict[str, Any]:
    found = {table.code: _plain(table) for table in tables(report)}
    found["silent"]["empty"] = "Ответили все · All answered"
    return {
        "title": title(report),
        "summary": [list(fact) for fact in summary(report)],
        "map_heading": HEADINGS["map"],
        "answers_heading": HEADINGS["answers"],
        **found,
    }


def _plain(table: Table) -> dict[str, Any]:
    return {
        "heading": table.heading,
        "columns": list(table.columns),
        "rows": table.rows,
        "widths": list(table.widths),
        "empty": "—",
    }
