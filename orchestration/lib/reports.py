"""The day's KPIs as a file and as a table."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from city.settings import Settings
from warehouse.read import query

SQL = """
SELECT code, value, unit, numerator, denominator, target, better, source FROM marts.mart_kpi_daily
WHERE city = ? AND day = ? ORDER BY code
"""


def write_day(settings: Settings, day: date) -> tuple[Path, str, int]:
    """Writes <home>/reports/<city>/<day>.csv; gives its path, the same as Markdown, and the number of KPIs."""
    frame = query(settings, SQL, [settings.city, day])
    folder = settings.home / "reports" / settings.city
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{day.isoformat()}.csv"
    frame.write_csv(path)
    lines = [f"| {code} | {value} | {unit} | {target} |" for code, value, unit, _, _, target, _, _ in frame.rows()]
    return path, "\n".join(["| KPI | value | unit | target |", "|---|---|---|---|", *lines]), frame.height
