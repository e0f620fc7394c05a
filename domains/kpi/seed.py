"""The catalogue as dbt's seed: `python -m domains.kpi.seed` writes it, a test says when it is stale."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from domains.kpi.catalogue import Catalogue, catalogue

PATH = Path(__file__).resolve().parents[2] / "dbt" / "seeds" / "kpi_catalogue.csv"
COLUMNS = ("code", "domain", "name_ru", "name_en", "unit", "kind", "factor", "better", "target", "source")


def seed_csv(found: Catalogue) -> str:
    """One row per KPI: what mart_kpi_daily needs to turn numerator and denominator into a value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for kpi in found.kpis:
        target = "" if kpi.target is None else kpi.target.value
        writer.writerow(
            [kpi.code, kpi.domain, kpi.name.ru, kpi.name.en, kpi.unit, kpi.kind, kpi.factor, kpi.better, target,
             kpi.source.text]
        )  # fmt: skip
    return text.getvalue()


if __name__ == "__main__":
    PATH.write_text(seed_csv(catalogue()), encoding="utf-8")
