"""Reads the catalogue of KPIs (catalogue.yaml), and refuses what it does not know.

from domains.kpi.catalogue import catalogue
catalogue()["water_loss_share"].name.ru
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest.contracts import CONTRACTS

PATH = Path(__file__).with_name("catalogue.yaml")

DAY_OF = re.compile(r"\{day_of_(\w+)\}")
"""In `drill`: the city's local day of a column, for example {day_of_closed_at}."""


class CatalogueError(ValueError):
    """catalogue.yaml does not say what a KPI must say; the text names the KPI, the key and the value."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Words(_Strict):
    """The same in Russian and English."""

    ru: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Source(_Strict):
    """Where a formula comes from; `own` says honestly that it is ours."""

    kind: Literal["standard", "method", "own"]
    document: str = Field(min_length=1)
    section: str | None = None
    url: str | None = None

    @property
    def text(self) -> str:
        return "; ".join(part for part in (self.document, self.section) if part)


class Target(_Strict):
    """A value to reach, and who set it: a key of the catalogue's `targets`."""

    value: float
    whose: str


class Kpi(_Strict):
    """One KPI: value = factor × numerator (/ denominator when kind is ratio), in `unit`, per local day."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    domain: Literal["transit", "water", "appeals", "cameras", "alerts", "platform"]
    name: Words
    unit: str
    kind: Literal["ratio", "plain"]
    factor: float = Field(gt=0)
    better: Literal["higher", "lower"]
    numerator: Words
    denominator: Words
    formula: str
    source: Source
    target: Target | None
    feeds: tuple[str, ...] = Field(min_length=1, strict=False)
    model: str = Field(pattern=r"^int_kpi_[a-z]+_day$")
    drill: str

    @model_validator(mode="after")
    def feeds_have_contracts(self) -> Self:
        unknown = [feed for feed in self.feeds if feed not in CONTRACTS]
        if unknown:
            raise ValueError(f"feeds: {unknown} have no contract; known: {', '.join(CONTRACTS)}")
        return self

    def drill_sql(self, time_zone: str) -> str:
        """The drill-down query with the city's zone in it; its one parameter, $1, is the day."""
        if not re.fullmatch(r"[A-Za-z0-9_+/-]+", time_zone):
            raise ValueError(f"time zone {time_zone!r}: give a name of the IANA list, such as Europe/Moscow")
        local = DAY_OF.sub(rf"cast(timezone('{time_zone}', \1) as date)", self.drill)
        return re.sub(r"\?1?", "$1", local)

    def value_of(self, numerator: float | None, denominator: float | None) -> float | None:
        """The same rule as mart_kpi_daily: nothing to divide by means not known."""
        if numerator is None or not denominator:
            return None
        return self.factor * numerator / (denominator if self.kind == "ratio" else 1.0)


class Catalogue(_Strict):
    """The file: who sets targets, and the KPIs in the order in which they are shown."""

    targets: dict[str, str]
    kpis: tuple[Kpi, ...] = Field(strict=False)

    @model_validator(mode="after")
    def told_once(self) -> Self:
        codes = [kpi.code for kpi in self.kpis]
        twice = {code for code in codes if codes.count(code) > 1}
        if twice:
            raise ValueError(f"kpis: {sorted(twice)} stand twice; a code names one KPI")
        strangers = {kpi.target.whose for kpi in self.kpis if kpi.target} - set(self.targets)
        if strangers:
            raise ValueError(f"target.whose: {sorted(strangers)} are not among `targets`")
        return self

    def __getitem__(self, code: str) -> Kpi:
        for kpi in self.kpis:
            if kpi.code == code:
                return kpi
        raise KeyError(f"no KPI {code!r}; known: {', '.join(kpi.code for kpi in self.kpis)}")

    def __contains__(self, code: object) -> bool:
        return any(kpi.code == code for kpi in self.kpis)


def load(path: Path) -> Catalogue:
    """The catalogue of a file. Raises CatalogueError with key, value and remedy."""
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CatalogueError(f"{path.name}: {where}: {first['msg']} (got {first['input']!r})") from None


@functools.cache
def catalogue() -> Catalogue:
    """The project's own catalogue."""
    return load(PATH)
