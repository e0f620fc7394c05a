"""Everything a person reads, in Russian or English: sentences, numbers, ages and times.

Sentences come from `text/<language>.yaml`, flat or nested, looked up by dotted key. A value with the keys
`one`, `few`, `many` is a plural (rules: Unicode CLDR 44, cardinal plurals of `ru` and `en`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

Language = Literal["ru", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "en")
TEXT = Path(__file__).parent / "text"
NARROW_SPACE = "\u202f"
MONTHS_RU = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
]


@functools.cache
def catalogue(language: Language) -> Mapping[str, Any]:
    """Dotted key → text, or → a mapping of plural forms."""
    with (TEXT / f"{language}.yaml").open(encoding="utf-8") as file:
        return dict(_flatten(yaml.safe_load(file), ""))


def _flatten(tree: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and not {"one", "many"} <= set(value):
            found.extend(_flatten(value, f"{name}."))
        else:
            found.append((name, value))
    return found


def plural_form(language: Language, count: int) -> str:
    """CLDR's category of a whole number: one, few or many (English: one or many)."""
    if language == "en":
        return "one" if count == 1 else "many"
    tens, ones = count % 100, count % 10
    if ones == 1 and tens != 11:
        return "one"
    return "few" if 2 <= ones <= 4 and not 12 <= tens <= 14 else "many"


@dataclass(frozen=True)
class Words:
    """The words of one language in one time zone."""

    language: Language
    zone: ZoneInfo

    def __call__(self, key: str, **values: Any) -> str:
        """The sentence of `key`; a plural is chosen by `count`. A missing key is a programmer's error: KeyError."""
        text = catalogue(self.language)[key]
        if isinstance(text, Mapping):
            form = plural_form(self.language, int(values["count"]))
            text = text.get(form, text["many"])
        return str(text).format(**values) if values else str(text)

    def maybe(self, key: str, otherwise: str) -> str:
        """The sentence of `key`, or `otherwise` for a code that has no words of its own (a device's class, say)."""
        text = catalogue(self.language).get(key)
        return text if isinstance(text, str) else otherwise

    def number(self, value: float | None, digits: int | None = None, sign: bool = False) -> str:
        """A number for a person: three significant digits below 1,000 unless `digits` says otherwise."""
        if value is None or not math.isfinite(value):
            return "—"
        if digits is None:
            digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
        text = f"{abs(value):,.{digits}f}"
        if digits and digits > 1 and "." in text:
            text = text.rstrip("0").rstrip(".")
        if self.language == "ru":
            text = text.replace(",", NARROW_SPACE).replace(".", ",")
        zero = not any(character in "123456789" for character in text)
        text = "0" if zero else text
        minus = "" if zero or value >= 0 else "−"
        return f"{minus or ('+' if sign and not zero else '')}{text}"

    def percent(self, share: float | None, digits: int = 1, sign: bool = False) -> str:
        """A share 0…1 as per cent."""
        if share is None or not math.isfinite(share):
            return "—"
        return f"{self.number(share * 100, digits, sign)}{NARROW_SPACE}%"

    def quantity(self, value: float | None, unit: str, sign: bool = False) -> str:
        """A value with its unit in the reader's language; `share` is shown as per cent."""
        if unit in ("share", "1"):
            return self.percent(value, sign=sign)
        name = self.unit(unit)
        shown = self.number(value, sign=sign)
        return f"{shown}{NARROW_SPACE}{name}" if name and shown != "—" else shown

    def unit(self, unit: str) -> str:
        return "%" if unit in ("share", "1") else self.maybe(f"unit.{unit}", unit)

    def size(self, count_bytes: float | None) -> str:
        """Bytes in decimal multiples (IEC 80000-13: kB = 1,000 bytes)."""
        value, steps = float(count_bytes or 0), ["b", "kb", "mb", "gb", "tb"]
        while value >= 1_000 and len(steps) > 1:
            value /= 1_000
            steps.pop(0)
        return f"{self.number(value)}{NARROW_SPACE}{self(f'size.{steps[0]}')}"

    def local(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(self.zone)

    def clock(self, moment: datetime | None) -> str:
        """Time of the city: hours and minutes, with the day when it is not today."""
        if moment is None:
            return "—"
        local = self.local(moment)
        return f"{local:%H:%M}" if local.date() == self.today() else f"{self.day(local.date())}, {local:%H:%M}"

    def stamp(self, moment: datetime | None) -> str:
        """Day, month and time to the second, for an engineer's table."""
        return "—" if moment is None else f"{self.local(moment):%d.%m.%Y %H:%M:%S}"

    def day(self, day: date | None) -> str:
        if day is None:
            return "—"
        year = "" if day.year == self.today().year else f" {day.year}"
        if self.language == "ru":
            return f"{day.day} {MONTHS_RU[day.month - 1]}{year}"
        return f"{day.day} {day:%B}{year}"

    def today(self) -> date:
        return datetime.now(self.zone).date()

    def age(self, moment: datetime | None, now: datetime | None = None) -> str:
        """How long ago, in one unit: "3 мин назад". A moment ahead of the clock is "just now"."""
        if moment is None:
            return self("age.never")
        seconds = ((now or datetime.now(UTC)) - self.local(moment)).total_seconds()
        return self("age.now") if seconds < 10 else self("age.ago", span=self.span(timedelta(seconds=seconds)))

    def span(self, length: timedelta) -> str:
        """A length of time in its largest whole unit."""
        seconds = int(length.total_seconds())
        for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
            if seconds >= size:
                return self(f"age.{unit}", count=seconds // size)
        return self("age.seconds", count=seconds)
