"""`gorodok kpi`: the KPIs of a day, and where one of them comes from."""

from __future__ import annotations

import os
from datetime import date
from typing import Annotated, Any

import typer

from apps.cli.output import NO, err, fail, out, print_json, print_table
from city.settings import Settings, settings
from domains.kpi.catalogue import Kpi, Words, catalogue

SHOWN_ROWS = 20


def register(app: typer.Typer) -> None:
    app.command("kpi", help="Показатели дня и откуда они взялись / KPIs of a day, and where they come from")(kpi)


def kpi(
    *,
    day: Annotated[str | None, typer.Option(help="День / Day, 2026-03-01; the latest one with data by default")] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="CODE", help="Формула, строки, сегменты / One KPI in full")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Вывод в JSON / As JSON")] = False,
) -> None:
    """Exit code 0: told; 1: there is no such KPI or no such day; 2: wrong usage."""
    import duckdb

    from warehouse.lake import LakeMissingError

    if explain is not None and explain not in catalogue():
        known = ", ".join(one.code for one in catalogue().kpis)
        fail(f"--explain: there is no KPI {explain!r}", f"Known: {known}", code=NO)
    try:
        if explain is None:
            _tell_day(_table(settings(), _day(settings(), day, None)), as_json)
        else:
            one = catalogue()[explain]
            _tell_one(_explanation(settings(), one, _day(settings(), day, explain)), as_json)
    except LakeMissingError as error:
        fail(str(error), code=NO)
    except duckdb.CatalogException:
        fail("the lake has no KPIs yet", "Build them: gorodok build", code=NO)


def print_kpis(where: Settings) -> None:
    """The table of the latest day with data, for a command that has just built it."""
    _tell_day(_table(where, _day(where, None, None)), as_json=False)


# --- what is told


def _day(where: Settings, text: str | None, code: str | None) -> date:
    """The day asked for, or the latest one with a value; ends the command when there is none."""
    from warehouse.read import query

    asked = None if text is None else _date(text)
    found = query(
        where,
        "SELECT max(day) AS day FROM marts.mart_kpi_daily "
        "WHERE value IS NOT NULL AND ($1 IS NULL OR day = $1) AND ($2 IS NULL OR code = $2)",
        [asked, code],
    )["day"][0]
    if found is None:
        subject = "KPIs" if code is None else code
        when = "" if asked is None else f" on {asked}"
        fail(f"{subject}: no value{when}", "Load data and build: gorodok build", code=NO)
    return found  # type: ignore[no-any-return]


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"--day: {text!r} is not a day", "Write it as 2026-03-01.")


def _table(where: Settings, day: date) -> dict[str, Any]:
    """Every KPI of the catalogue on the day, with its last value before; value None where nothing was measured."""
    from warehouse.read import query

    frame = query(
        where,
        """
        SELECT * EXCLUDE (value), value,
            lag(value IGNORE NULLS) OVER course AS previous_value,
            lag(CASE WHEN value IS NOT NULL THEN day END IGNORE NULLS) OVER course AS previous_day
        FROM marts.mart_kpi_daily WHERE day <= $1
        WINDOW course AS (PARTITION BY code ORDER BY day)
        QUALIFY day = $1
        """,
        [day],
    )
    told = {row["code"]: row for row in frame.to_dicts()}
    return {"city": where.city, "day": day, "kpis": [_entry(one, told.get(one.code, {})) for one in catalogue().kpis]}


def _entry(one: Kpi, row: dict[str, Any]) -> dict[str, Any]:
    value, before = row.get("value"), row.get("previous_value")
    target = None if one.target is None else one.target.value
    better_up = one.better == "higher"
    return {
        "code": one.code,
        "name_ru": one.name.ru,
        "name_en": one.name.en,
        "value": value,
        "unit": one.unit,
        "numerator": row.get("numerator"),
        "denominator": row.get("denominator"),
        "target": target,
        "better": one.better,
        "on_target": None if value is None or target is None else (value >= target if better_up else value <= target),
        "previous_day": row.get("previous_day"),
        "previous_value": before,
        "trend": _trend(value, before, better_up),
    }


def _trend(value: float | None, before: float | None, better_up: bool) -> str | None:
    if value is None or before is None:
        return None
    if value == before:
        return "same"
    return "better" if (value > before) == better_up else "worse"


def _explanation(where: Settings, one: Kpi, day: date) -> dict[str, Any]:
    """The KPI's words, its figures on the day, the rows behind them and the landed segments of these rows."""
    from warehouse.read import query

    zone = _time_zone(where)
    entry = next(row for row in _table(where, day)["kpis"] if row["code"] == one.code)
    rows = query(where, one.drill_sql(zone), [day])
    return {
        "city": where.city,
        "day": day,
        "time_zone": zone,
        **entry,
        "formula": one.formula,
        "source": one.source.text,
        "source_url": one.source.url,
        "numerator_means": one.numerator.model_dump(),
        "denominator_means": one.denominator.model_dump(),
        "target_set_by": None if one.target is None else catalogue().targets[one.target.whose],
        "rows_total": rows.height,
        "rows": rows.head(SHOWN_ROWS).to_dicts(),
        "segments": [segment for feed in one.feeds for segment in _segments(where, feed, day, zone)],
    }


def _segments(where: Settings, feed: str, day: date, zone: str) -> list[dict[str, Any]]:
    """The landed files that the feed's rows of the day came from."""
    from warehouse.read import query

    return query(
        where,
        f"""
        SELECT '{feed}' AS feed, raw.segment, count(*) AS rows_of_day, any_value(ops.loaded_at) AS loaded_at
        FROM raw."{feed}" AS raw
        LEFT JOIN ops.segment AS ops ON ops.segment = raw.segment AND ops.feed = '{feed}'
        WHERE raw.event_at >= timezone($2, $1::TIMESTAMP)
            AND raw.event_at < timezone($2, $1::TIMESTAMP + INTERVAL 1 DAY)
        GROUP BY raw.segment ORDER BY raw.segment
        """,  # noqa: S608 - the feed's code comes from a contract
        [day, zone],
    ).to_dicts()


def _time_zone(where: Settings) -> str:
    """The zone whose days the KPIs have: the same that dbt was given."""
    from city.profile import load_city

    return os.environ.get("GORODOK_TZ") or load_city(where).time_zone


# --- how it is told


def _tell_day(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    russian = settings().language == "ru"
    columns = ("Показатель", "Значение", "Ед.", "Цель", "Было", "Код") if russian else (
        "KPI", "Value", "Unit", "Target", "Before", "Code"
    )  # fmt: skip
    rows = [
        (
            row["name_ru" if russian else "name_en"],
            _marked(row),
            row["unit"],
            _target(row),
            row["previous_value"],
            row["code"],
        )
        for row in told["kpis"]
    ]
    print_table(rows, columns, title=f"{told['city']}, {told['day']:%d.%m.%Y}")


def _marked(row: dict[str, Any]) -> str | None:
    """The value with its trend (better ▲, worse ▼ in the KPI's own sense) and ! where the target is missed."""
    if row["value"] is None:
        return None
    mark = {"better": " ▲", "worse": " ▼", "same": " =", None: ""}[row["trend"]]
    return f"{row['value']:,.4g}{mark}{' !' if row['on_target'] is False else ''}"


def _target(row: dict[str, Any]) -> str | None:
    if row["target"] is None:
        return None
    return f"{'≥' if row['better'] == 'higher' else '≤'} {row['target']:g}"


def _tell_one(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    words = Words(ru=told["name_ru"], en=told["name_en"])
    out.print(f"[bold]{words.ru} / {words.en}[/bold]  {told['day']:%d.%m.%Y}, {told['city']}")
    print_table(
        [
            ("Значение / value", f"{_marked(told)} {told['unit']}"),
            ("Цель / target", f"{_target(told) or '–'}  ({told['target_set_by'] or '–'})"),
            ("Формула / formula", told["formula"]),
            ("Источник / source", told["source"] + (f" {told['source_url']}" if told["source_url"] else "")),
            (f"Числитель / numerator: {_figure(told['numerator'])}", _both(told["numerator_means"])),
            (f"Знаменатель / denominator: {_figure(told['denominator'])}", _both(told["denominator_means"])),
        ],
        ("", ""),
    )
    if told["rows"]:
        title = f"Строки / rows: {len(told['rows'])} из / of {told['rows_total']}"
        print_table(told["rows"], list(told["rows"][0]), title=title)
    if told["segments"]:
        print_table(told["segments"], list(told["segments"][0]), title="Сегменты / landed segments")
    else:
        err.print("Сегментов за день нет / no landed segment has rows of this day")


def _both(words: dict[str, str]) -> str:
    return f"{words['ru']} / {words['en']}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}"
