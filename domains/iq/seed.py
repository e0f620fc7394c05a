"""The methodology as dbt's seeds: `python -m domains.iq.seed` writes them, a test says when they are stale."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from domains.iq.methodology import Methodology, methodology

SEEDS = Path(__file__).resolve().parents[2] / "dbt" / "seeds"


def seed_files(found: Methodology) -> dict[str, str]:
    """Text of each seed by its file's name."""
    return {
        "iq_direction.csv": _text(
            ("version", "code", "name_ru"), ((found.version, one.code, one.name) for one in found.directions)
        ),
        "iq_indicator.csv": _text(
            ("version", "code", "direction", "name_ru", "unit", "kind", "better", "parameters", "basis"),
            (
                (found.version, one.code, one.direction, one.name, one.unit, one.kind, one.better,
                 len(one.parameters), one.basis)
                for one in found.indicators
            ),
        ),
        "iq_evidence.csv": _text(
            ("version", "code", "parameter", "evidence"),
            (
                (found.version, one.code, parameter.key, parameter.evidence)
                for one in found.indicators
                for parameter in one.parameters
                if parameter.evidence is not None
            ),
        ),
    }  # fmt: skip


def _text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    for name, content in seed_files(methodology()).items():
        (SEEDS / name).write_text(content, encoding="utf-8")
