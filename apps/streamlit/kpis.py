"""KPIs as the pages show them: the catalogue's words beside the marts' values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from apps.streamlit import judge
from apps.streamlit.look import Level
from apps.streamlit.words import Words
from domains.kpi.catalogue import Kpi, catalogue

TREND_DAYS = 30


@dataclass(frozen=True)
class Latest:
    """A KPI on its last day that has a value, and the days before it."""

    code: str
    day: date
    value: float
    unit: str
    target: float | None
    better: str
    before: float | None
    before_day: date | None
    history: list[float | None]

    @property
    def level(self) -> Level:
        return judge.kpi_level(self.value, self.target, self.better)

    @property
    def change(self) -> float | None:
        return None if self.before is None else self.value - self.before

    @property
    def change_level(self) -> Level:
        if not self.change:
            return "none"
        return "good" if judge.is_better(self.change, self.better) else "bad"


def kpi(code: str) -> Kpi | None:
    """The catalogue's entry; None for a code that only an older lake knows."""
    return next((entry for entry in catalogue().kpis if entry.code == code), None)


def codes() -> list[str]:
    return [entry.code for entry in catalogue().kpis]


def title(code: str, words: Words) -> str:
    entry = kpi(code)
    return code if entry is None else getattr(entry.name, words.language)


def latest(rows: pl.DataFrame) -> dict[str, Latest]:
    """Newest known value of each KPI of the frame (columns of mart_kpi_daily), in the catalogue's order."""
    found: dict[str, Latest] = {}
    for (code,), days in rows.sort("day").group_by("code", maintain_order=True):
        known = days.filter(pl.col("value").is_not_null())
        if known.is_empty():
            continue
        last: dict[str, Any] = known.row(-1, named=True)
        before = known.row(-2, named=True) if known.height > 1 else None
        found[str(code)] = Latest(
            code=str(code),
            day=last["day"],
            value=last["value"],
            unit=last["unit"],
            target=last["target"],
            better=last["better"],
            before=before["value"] if before else None,
            before_day=before["day"] if before else None,
            history=days["value"].to_list()[-TREND_DAYS:],
        )
    order = {code: index for index, code in enumerate(codes())}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def worst_first(items: list[Latest]) -> list[Latest]:
    rank = {"bad": 0, "warn": 1, "good": 2, "none": 3, "stale": 4}
    return sorted(items, key=lambda item: rank[item.level])


def sign(better: str) -> str:
    return "≥" if better == "higher" else "≤"
