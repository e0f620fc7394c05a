"""Reads the methodology of the index (methodology_2018_2021.yaml), and refuses what it does not know.

from domains.iq.methodology import methodology
methodology().indicators[12].name
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PATH = Path(__file__).with_name("methodology_2018_2021.yaml")

Basis = Literal["read", "inferred"]

Evidence = Literal[
    "complaint",
    "complaint_with_deadline",
    "camera_event",
    "electricity_meter",
    "leak_with_order",
    "meter_reading",
    "resident_notice",
    "vehicle_position",
    "work_order",
]
"""What a feed can show; mart_iq_indicator tells each of them from rows of the last 30 days."""


class MethodologyError(ValueError):
    """The file does not say what a methodology must say; the text names key and value."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Order(_Strict):
    """The legal act."""

    number: str
    date: str
    body: str
    basis: str


class Scale(_Strict):
    """Points of the whole index and of a direction."""

    total_max: int
    direction_max: int
    basis: str


class Rule(_Strict):
    """A rule of the method; `rule` is null where none was found."""

    rule: str | None
    basis: str


class CityGroup(_Strict):
    """Cities are compared within a group of size (inhabitants)."""

    code: str
    name: str
    population_from: int | None
    population_to: int | None


class Direction(_Strict):
    """A sub-index."""

    code: str = Field(pattern=r"^D\d\d$")
    name: str = Field(min_length=1)


class Parameter(_Strict):
    """A figure or a yes/no answer that the form asks for."""

    key: int
    name: str = Field(min_length=1)
    evidence: Evidence | None = None


class Indicator(_Strict):
    """One of the 47."""

    code: str = Field(pattern=r"^c\d{1,2}$")
    direction: str
    direction_basis: Basis = "read"
    name: str = Field(min_length=1)
    name_basis: Basis = "read"
    kind: Literal["presence", "numeric"]
    unit: str
    unit_basis: Basis = "read"
    better: Literal["higher", "lower"] = "higher"
    formula: str | None = None
    note: str | None = None
    parameters: tuple[Parameter, ...] = Field(default=(), strict=False)

    @property
    def basis(self) -> str:
        """One line for the mart: what of this indicator was read and what was inferred."""
        inferred = [
            what
            for what, basis in (
                ("name", self.name_basis),
                ("direction", self.direction_basis),
                ("unit", self.unit_basis),
            )
            if basis == "inferred"
        ]
        return "read in third-party transcriptions" + (f"; inferred: {', '.join(inferred)}" if inferred else "")


class Methodology(_Strict):
    """The file. 47 indicators in 10 directions, each direction with at least one."""

    version: str
    index_name: str
    order: Order
    sources: dict[str, str]
    scale: Scale
    rules: dict[str, Rule]
    city_groups: tuple[CityGroup, ...] = Field(strict=False)
    directions: tuple[Direction, ...] = Field(strict=False)
    indicators: tuple[Indicator, ...] = Field(strict=False)
    gaps: tuple[str, ...] = Field(strict=False)

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        twice = [code for code, times in Counter(one.code for one in self.indicators).items() if times > 1]
        if twice:
            raise ValueError(f"indicators: {twice} stand twice")
        known = {one.code for one in self.directions}
        used = {one.direction for one in self.indicators}
        if known != used:
            raise ValueError(f"direction: {sorted(known ^ used)} stand on one side only")
        return self


def load(path: Path) -> Methodology:
    """The methodology of a file. Raises MethodologyError with key, value and remedy."""
    try:
        return Methodology.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MethodologyError(f"{path.name}: {where}: {first['msg']} (got {first['input']!r})") from None


@functools.cache
def methodology() -> Methodology:
    """The version of 2018-2021, the only one whose indicators are known."""
    return load(PATH)
