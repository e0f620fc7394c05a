"""What is wrong with a city's folder, said so that a person can put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Problem:
    """file: relative to the city's folder; key: dotted path inside it; value: as found; remedy: what to do."""

    file: str
    key: str
    value: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key or 'file'} = {self.value}: {self.remedy}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class CityError(ValueError):
    """A city's folder cannot be used; `problems` says what to change."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def at_key(key: str, value: Any, remedy: str) -> PydanticCustomError:
    """For a validator of a whole model: the finding is at one of its keys."""
    return PydanticCustomError(_AT_KEY, "{remedy}", {"key": key, "value": value, "remedy": remedy})


_AT_KEY = "at_key"
SHOWN = 120


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def from_validation(file: str, error: ValidationError, within: str = "") -> list[Problem]:
    """pydantic's findings as problems; `within` is put before each key."""
    problems = []
    for fault in error.errors(include_url=False):
        if fault["type"] == _AT_KEY:
            problems.append(Problem(file, fault["ctx"]["key"], shown(fault["ctx"]["value"]), fault["ctx"]["remedy"]))
            continue
        key = ".".join([within, *map(str, fault["loc"])] if within else map(str, fault["loc"]))
        problems.append(Problem(file, key, _value(fault), _remedy(fault)))
    return problems


def _value(fault: Any) -> str:
    return "missing" if fault["type"] == "missing" else shown(fault.get("input"))


def _remedy(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such key: remove it, or look for a misprint"
    if fault["type"] == "missing":
        return "add this key; cities/gorodok shows one"
    return str(fault["msg"]).removeprefix("Value error, ")
