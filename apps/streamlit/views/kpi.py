"""One KPI: its history and target, how it is computed and by what norm, and the way down to the landed file."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
import streamlit as st

from apps.streamlit import charts, data, frame, kpis, parts, queries
from apps.streamlit.words import Words
from domains.kpi.catalogue import Kpi
from ingest.contracts import CONTRACTS

DAYS = (30, 90, 365)
ROWS = 500


def main() -> None:
    words = frame.words()
    with frame.page("kpi", frame.place().name(words.language)):
        code, length = _choose(words)
        span = data.marts(queries.KPI_SPAN, (data.current().city, code))
        last = None if span.is_empty() else span["last_day"][0]
        days = pl.DataFrame()
        if last is not None:
            since = last - timedelta(days=length - 1)
            days = data.marts(queries.KPI_HISTORY, (data.current().city, code, since, last))
            days = days.filter(pl.col("value").is_not_null())
        entry = kpis.kpi(code)
        if days.is_empty():
            needs = ", ".join(_feed(feed, words) for feed in entry.feeds) if entry else ""
            parts.verdict(
                "stale", words("kpi.none", title=kpis.title(code, words)), words("kpi.none_detail", needs=needs)
            )
            parts.notice(words("home.no_kpi"), words("home.no_kpi_remedy"), "gorodok build")
        else:
            _verdict(code, days, words)
            parts.heading(words("kpi.history"))
            unit, target = days["unit"][-1], days["target"][-1]
            st.altair_chart(charts.history(days, words.unit(unit), target, words), key="kpi_history")
            parts.caption(words("kpi.rule"))
        if entry is not None:
            parts.facts(_facts(entry, words))
        if not days.is_empty():
            with frame.told(words):
                _chain(code, entry, days, words)


def _choose(words: Words) -> tuple[str, int]:
    known = kpis.codes()
    asked = st.query_params.get("code", "")
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        code = st.selectbox(
            words("kpi.choose"),
            known,
            index=known.index(asked) if asked in known else 0,
            format_func=lambda one: kpis.title(one, words),
            key="kpi_code",
        )
    with right:
        length = st.segmented_control(
            words("app.period"),
            DAYS,
            default=90,
            format_func=lambda days: words("water.days", count=days),
            key="kpi_days",
            required=True,
        )
    st.query_params["code"] = code
    return code, length or 90


def _feed(code: str, words: Words) -> str:
    spec = CONTRACTS[code].spec
    return spec.title_ru if words.language == "ru" else spec.title_en


def _verdict(code: str, days: pl.DataFrame, words: Words) -> None:
    item = kpis.latest(days.with_columns(pl.lit(code).alias("code")))[code]
    said: dict[str, str] = {
        "title": kpis.title(code, words),
        "value": words.quantity(item.value, item.unit),
        "day": words.day(item.day),
    }
    if item.target is None:
        parts.verdict("none", words("kpi.no_target", **said))
        return
    said["target"] = f"{kpis.sign(item.better)} {words.quantity(item.target, item.unit)}"
    key = {"good": "met", "warn": "near", "bad": "missed"}[item.level]
    parts.verdict(item.level, words(f"kpi.{key}", **said))


def _facts(entry: Kpi, words: Words) -> list[tuple[str, str]]:
    own = entry.source.kind == "own"
    return [
        (words("kpi.formula"), _formula(entry, words)),
        (words("kpi.numerator"), getattr(entry.numerator, words.language)),
        (words("kpi.denominator"), getattr(entry.denominator, words.language)),
        (words("kpi.better"), words(f"kpi.better_{entry.better}")),
        (words("kpi.source"), words("kpi.source_own") if own else entry.source.text),
        (
            words("kpi.target"),
            words.maybe(f"kpi.whose_{entry.target.whose}", "") if entry.target else words("home.no_target"),
        ),
        (words("kpi.feeds"), ", ".join(_feed(feed, words) for feed in entry.feeds)),
        (words("kpi.code"), entry.code),
    ]


def _formula(entry: Kpi, words: Words) -> str:
    """The catalogue's rule in words: factor, numerator and denominator are explained on the next lines."""
    factor = "" if entry.factor == 1 else f"{words.number(entry.factor)} × "
    if entry.kind == "plain":
        return f"{factor}{words('kpi.numerator').lower()}"
    return f"{factor}{words('kpi.numerator').lower()} / {words('kpi.denominator').lower()}"


def _chain(code: str, entry: Kpi | None, days: pl.DataFrame, words: Words) -> None:
    """Day → rows of the marts → landed segments, each step narrowed by the one before."""
    parts.heading(words("kpi.chain"), words("kpi.chain_note"))
    newest_first = days.sort("day", descending=True)
    day: date = st.selectbox(
        words("kpi.step_day"), newest_first["day"].to_list(), format_func=words.day, key=f"kpi_day_{code}", width=260
    )
    row = newest_first.filter(pl.col("day") == day).row(0, named=True)
    parts.facts(
        [
            (words("kpi.value"), words.quantity(row["value"], row["unit"])),
            (words("kpi.numerator"), words.number(row["numerator"])),
            (words("kpi.denominator"), words.number(row["denominator"])),
        ]
    )
    if entry is None:
        parts.notice(words("kpi.no_drill"))
        return
    parts.heading(words("kpi.step_rows"))
    rows = data.marts(entry.drill_sql(str(words.zone)), (day,))
    picked = _rows(rows, code, words)
    parts.heading(words("kpi.step_segments"))
    _segments(entry, day, picked, words)


def _rows(rows: pl.DataFrame, code: str, words: Words) -> dict[str, Any]:
    """The rows behind the value; the one that was clicked narrows the last step."""
    if rows.is_empty():
        parts.notice(words("kpi.no_rows"))
        return {}
    shown = rows.head(ROWS)
    event: Any = st.dataframe(
        frame.local_times(shown, words), key=f"kpi_rows_{code}", on_select="rerun", selection_mode="single-row",
        hide_index=True, height=min(38 + 35 * shown.height, 360),
    )  # fmt: skip
    parts.caption(words("app.rows_shown", count=shown.height) + ". " + words("kpi.pick"))
    chosen = event.selection.rows if event else []
    return shown.row(chosen[0], named=True) if chosen and chosen[0] < shown.height else {}


def _segments(entry: Kpi, day: date, picked: dict[str, Any], words: Words) -> None:
    """Which landed files hold that day of the KPI's feeds; events are counted on the city's own day."""
    start = datetime.combine(day, time(), tzinfo=words.zone)
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=words.zone)
    found: list[list[parts.Cell | str]] = []
    for feed in entry.feeds:
        if picked.get("feed", feed) != feed:
            continue
        column = _shared_column(feed, picked)
        narrowing = (picked[column],) if column else ()
        for row in data.marts(queries.landed(feed, column), (feed, start, end, *narrowing)).iter_rows(named=True):
            found.append(
                [
                    row["segment"],
                    _feed(feed, words),
                    parts.Cell(words.number(row["rows"], 0), number=True),
                    f"{words.clock(row['first_at'])} – {words.clock(row['last_at'])}",
                    words.stamp(row["loaded_at"]),
                ]
            )
    if not found:
        parts.notice(words("kpi.no_segments"))
        return
    columns = ("segment", "feed", "segment_rows", "span", "loaded_at")
    parts.table([words(f"kpi.{name}") for name in columns], found[:60])


def _shared_column(feed: str, picked: dict[str, Any]) -> str | None:
    """The column by which a row of a mart finds its raw rows: an identifier that both have (never a personal one)."""
    fields = CONTRACTS[feed].model_fields
    order = (
        "vehicle_id",
        "event_id",
        "service_request_id",
        "command_id",
        "incident_id",
        "zone_id",
        "site_id",
        "house_id",
    )
    return next((name for name in order if name in fields and picked.get(name) is not None), None)


main()
