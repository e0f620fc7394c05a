"""A report as headed tables of text: the one content that HTML and PDF both set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.run_report.gather import RunReport
from orchestration.run_report.words import ACTIONS, HEADINGS, KINDS, MODES, RESULTS


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are plain text; who sets it escapes it. widths: shares of the line."""

    code: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    widths: tuple[int, ...]

    @property
    def heading(self) -> str:
        return HEADINGS[self.code]


def title(report: RunReport) -> str:
    return f"{report.titles[0]} · {report.titles[1]}"


def summary(report: RunReport) -> list[tuple[str, str]]:
    run = report.run
    doors = f"{run['doors_answered']} из / of {run['doors']}" if run["doors"] else "—"
    return [
        ("Город · City", report.city.name.ru),
        ("Режим · Mode", MODES.get(str(run["mode"]), "—")),
        ("Начало · Began", report.moment(run["started_at"])),
        ("Последняя запись журнала · Last line of the ledger", report.moment(run["last_line_at"])),
        ("Причина · Cause", f"{run['trigger_kind']}: {run['trigger_key']}"),
        ("Кто начал · Started by", run["started_by"] or "—"),
        ("Двери ответили · Doors that answered", doors),
        (
            "Ответы на команды · Answers to commands",
            f"{run['done']} из / of {run['expected']}; отказ / refused {run['refused']}, "
            f"не вышло / failed {run['failed']}, молчат / silent {run['silent']}",
        ),
        ("Ответ, мс: медиана, 99 %, последний · Answer, ms: median, p99, last", _three(run)),
        ("Не отправлено самим процессом · Not sent by the process itself", str(run["not_sent"])),
        ("Оповещения · Notices", str(run["notices"])),
        ("Передано человеку · Handed to a person", str(run["escalated"])),
        ("Запуск · Run", str(run["run_id"])),
    ]


def silent(report: RunReport) -> Table:
    rows = [
        [
            str(row["address"] or "—"),
            str(row["device_id"]),
            _why(row),
            str(row["attempts"]),
            str(row["contact"] or "—"),
        ]
        for row in report.silent
    ]
    columns = ("Адрес · Address", "Устройство · Device", "Почему · Why", "Попыток · Tries", "Контакт · Contact")
    return Table("silent", columns, rows, (4, 3, 3, 2, 4))


def commands(report: RunReport) -> Table:
    rows = [
        [
            report.moment(row["commanded_at"], "%H:%M:%S.%f")[:-3],
            _what(row["action"], row["target"]),
            *(str(row[name]) for name in ("expected", "done", "refused", "failed", "silent")),
            *(_ms(row[name]) for name in ("p50_ms", "p90_ms", "p99_ms", "last_ms")),
        ]
        for row in report.commands
    ]
    columns = ("Время · At", "Команда · Command", "Ждали", "Да", "Отказ", "Нет", "Тихо", "p50", "p90", "p99", "max, мс")
    return Table("commands", columns, rows, (3, 6, 2, 1, 2, 1, 2, 2, 2, 2, 2))


def devices(report: RunReport) -> Table:
    rows = [
        [str(row["address"] or "—"), str(row["device_id"]), _why(row), str(row["sensed"] or "—"), _ms(row["answer_ms"])]
        for row in report.devices
    ]
    columns = ("Адрес · Address", "Устройство · Device", "Ответ · Answer", "Датчик · Sensed", "мс · ms")
    return Table("devices", columns, rows, (4, 3, 3, 2, 1))


def timeline(report: RunReport) -> Table:
    rows = []
    for row in report.timeline:
        many = row["lines"] > 1
        who = f"{row['lines']} строк · lines" if many else str(row["device_id"] or row["by_whom"] or "")
        what = _what(row["what"], row["target"])
        rows.append(
            [report.moment(row["first_at"], "%H:%M:%S.%f")[:-3], KINDS.get(row["kind"], row["kind"]), what, who,
             str(row["reason"] or "")]
        )  # fmt: skip
    columns = ("Время · At", "Что · What", "Подробно · Detail", "Кто · Who", "Почему · Why")
    return Table("timeline", columns, rows, (2, 3, 4, 3, 2))


def tables(report: RunReport) -> Sequence[Table]:
    return [silent(report), commands(report), devices(report), timeline(report)]


def _why(row: Any) -> str:
    said = RESULTS[row["result"]]
    return f"{said}: {row['reason']}" if row["reason"] and row["result"] not in ("done", "would_do") else said


def _what(action: str | None, target: str | None) -> str:
    said = ACTIONS.get(str(action), str(action or ""))
    return f"{said} → {target.split(':', 1)[1]}" if target else said


def _ms(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}".replace(",", " ")


def _three(run: Any) -> str:
    return " / ".join(_ms(run[name]) for name in ("p50_ms", "p99_ms", "last_answer_ms"))
