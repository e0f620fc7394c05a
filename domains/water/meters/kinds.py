"""What can be wrong with a reading, and how it is told to a person: Russian first, English second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "rate_high", "rate_negative", "duplicate", "future", "stuck", "roll_over", "meter_changed", "unit_error", "dead"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """Templates over `value`, `before`, `low`, `high` (m3), `hours` since the reading before."""

    ru: str
    en: str

    def told(self, **facts: float) -> tuple[str, str]:
        return self.ru.format(**facts), self.en.format(**facts)


WORDS: dict[Kind, Words] = {
    "rate_high": Words(
        "{value:.3f} м³ после {before:.3f} м³ за {hours:.1f} ч: больше, чем пропускает труба (до {high:.3f} м³)",
        "{value:.3f} m³ after {before:.3f} m³ in {hours:.1f} h: more than the pipe lets through (up to {high:.3f} m³)",
    ),
    "rate_negative": Words(
        "{value:.3f} м³ меньше прежних {before:.3f} м³: счётчик пошёл назад",
        "{value:.3f} m³ is less than {before:.3f} m³ before: the counter ran backwards",
    ),
    "duplicate": Words(
        "второе показание за тот же момент: {value:.3f} м³",
        "a second reading of the same moment: {value:.3f} m³",
    ),
    "future": Words(
        "время показания впереди часов платформы: часы счётчика спешат, {value:.3f} м³ не учтены",
        "the reading's time lies ahead of the platform's clock; {value:.3f} m³ is left out",
    ),
    "stuck": Words(
        "показание {value:.3f} м³ не меняется {hours:.0f} ч, обычно за это время проходит {high:.1f} м³: "
        "счётчик стоит, или никто не живёт",
        "{value:.3f} m³ has not changed for {hours:.0f} h, in which {high:.1f} m³ is usual: "
        "the meter stands still, or nobody is at home",
    ),
    "roll_over": Words(
        "счётчик прошёл через ноль: {before:.3f} → {value:.3f} м³, расход учтён",
        "the counter rolled over: {before:.3f} → {value:.3f} m³, the use is counted",
    ),
    "meter_changed": Words(
        "новый ряд показаний держится: {before:.3f} → {value:.3f} м³, похоже, счётчик заменён; отсчёт начат заново",
        "a new row of readings holds: {before:.3f} → {value:.3f} m³, the meter was probably replaced; counting anew",
    ),
    "unit_error": Words(
        "{value:.3f} вместо {low:.3f}…{high:.3f} м³: ошибка единиц в 1000 раз",
        "{value:.3f} in place of {low:.3f}…{high:.3f} m³: units are wrong by 1000",
    ),
    "dead": Words(
        "осмотр: счётчик не работает", "visit: the meter does not work",
    ),
}  # fmt: skip
KINDS: tuple[Kind, ...] = tuple(WORDS)
"""The order is the number of a kind in the arrays and in saved states: append only."""

CODE: dict[Kind, int] = {kind: number for number, kind in enumerate(KINDS)}
BIT: dict[Kind, int] = {kind: 1 << number for number, kind in enumerate(KINDS)}
