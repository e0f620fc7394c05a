"""The report as one HTML file: styles and drawings inside, nothing fetched, all text escaped."""

from __future__ import annotations

from html import escape

from orchestration.run_report.drawing import draw_answers, draw_map
from orchestration.run_report.gather import RunReport
from orchestration.run_report.table import Table, summary, tables, title
from orchestration.run_report.words import HEADINGS

STYLE = """
body{font:16px/1.5 "PT Sans",Arial,sans-serif;color:#1e293b;margin:2rem auto;max-width:60rem;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #e2e8f0;vertical-align:top}
svg{max-width:100%;height:auto}.scroll{overflow-x:auto}
@media print{body{margin:0;max-width:none}}
"""


def page(report: RunReport) -> str:
    found = {table.code: table for table in tables(report)}
    parts = [
        f"<h1>{escape(title(report))}</h1>",
        _section("summary", _facts(report)),
        _section("map", draw_map(report)),
        _table(found["silent"], empty="Ответили все · All answered"),
        _section("answers", draw_answers(report.answers, report.run["expected"])),
        _table(found["commands"]),
        _table(found["devices"]),
        _table(found["timeline"]),
    ]
    name = escape(title(report))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>'
    body = "".join(parts)
    return f'<!doctype html><html lang="ru"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>'


def _section(code: str, inner: str) -> str:
    return f"<h2>{escape(HEADINGS[code])}</h2>{inner}"


def _facts(report: RunReport) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in summary(report))
    return f"<table>{rows}</table>"


def _table(table: Table, empty: str = "—") -> str:
    if not table.rows:
        return _section(table.code, f"<p>{escape(empty)}</p>")
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return _section(table.code, f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>')
