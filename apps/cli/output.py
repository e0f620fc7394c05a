"""What commands print: tables and JSON to stdout, progress and faults to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

GOOD, NO, BAD = 0, 1, 2
"""Exit codes: done; the answer is no; bad usage or input."""

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """One JSON document; times in RFC 3339, paths and bytes as text."""
    json.dump(value, sys.stdout, default=_plain, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def print_table(
    rows: Iterable[Sequence[Any] | Mapping[str, Any]], columns: Sequence[str], title: str | None = None
) -> None:
    """Aligned columns for a person. A row is a sequence, or a mapping with the columns' names."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        cells = [row.get(column) for column in columns] if isinstance(row, Mapping) else row
        table.add_row(*(escape(_shown(cell)) for cell in cells))
    out.print(table)


def fail(message: str, remedy: str = "", code: int = BAD) -> NoReturn:
    """Says what is wrong and what to do, and ends the command."""
    err.print(f"[red]{escape(message)}[/red]")
    if remedy:
        err.print(escape(remedy))
    raise typer.Exit(code)


def _shown(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.4g}" if abs(cell) < 1_000 else f"{cell:,.0f}"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return str(cell)


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, (Path, set, frozenset, tuple)):
        return str(value) if isinstance(value, Path) else list(value)
    return str(value)
