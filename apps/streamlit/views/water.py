"""Water loss: today's one thing to do, then city → area → pipe: balance, leaks, orders, survey, what-if, meeting."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import polars as pl
import streamlit as st

from apps.streamlit import charts, data, frame, judge, parts, queries
from apps.streamlit.look import Level
from apps.streamlit.water import balance, facts, inspectors, leaks, meeting, orders, todo, trial
from apps.streamlit.water import queries as own
from apps.streamlit.words import Words
from city.profile import load_city
from domains.water.survey import Suspicion

SPANS = (7, 30, 90)
FAR_OFF = 1.5  # half as much again as the city's own target is bad, less is a warning
FULL_COVER = 0.9
SECTIONS = ("balance", "leaks", "orders", "survey", "trial", "meeting")


def main() -> None:
    words = frame.words()
    with frame.page("water", frame.place().name(words.language)):
        span = data.marts(queries.ZONE_SPAN)
        now = frame.now()
        tariff = load_city(data.current()).norms.water.tariff_rub_m3
        known = facts.leaks(tariff)
        empty = span.is_empty() or span["last_day"][0] is None
        if empty and not known.running:
            parts.verdict("stale", words("water.empty"))
            parts.notice(words("water.empty_remedy"), command=words("water.empty_command"))
            return
        last = words.today() if empty else span["last_day"][0]
        first = last if empty else span["first_day"][0]
        before = data.marts(queries.ZONE_DAYS, (last - timedelta(days=35), last))
        suspects = inspectors.found(tariff)
        chosen_todo = todo.choose(known, judge.worst_zone(before), suspects, now)
        said = _verdict(chosen_todo, words, now)
        _go(chosen_todo, words)
        chosen = _choose(first, last, words)
        days = data.marts(queries.ZONE_DAYS, chosen)
        zone = _zone(days, words)
        section = _section(known, suspects, words)
        shown = days if zone is None else days.filter(pl.col("zone_id") == zone)
        if section == "balance":
            _tiles(shown, words)
            _days(shown, days, words, nights=not balance.show(chosen, zone, words))
        elif section == "leaks":
            leaks.show(known, zone, words, now)
        elif section == "orders":
            orders.show(known, zone, words, now)
        elif section == "survey":
            inspectors.show(suspects, zone, words, now)
        elif section == "trial":
            trial.show(known, words)
        else:
            _meeting(said, chosen, zone, known, suspects, words, now)


def _level(share: float | None) -> Level:
    """Against the city's own norm (city.toml, norms.water.loss_share_target)."""
    target = frame.place().loss_target
    if share is None or math.isnan(share):
        return "none"
    return "good" if share <= target else "warn" if share <= FAR_OFF * target else "bad"


def _name(zone_id: str, words: Words) -> str:
    return frame.place().called(zone_id, words.language)


def _verdict(one: todo.Todo, words: Words, now: datetime) -> str:
    """Shows today's one thing to do, and gives it back as a sentence."""
    if one.what == "zone":
        return _zone_verdict(one.zone, words)
    level: Level = "good"
    detail = ""
    if one.finding is not None:
        cost = words.quantity(round(one.finding.cost_day or 0), "RUB")
        flow = words.quantity(one.finding.flow_m3_h, "m3/h")
        place = leaks.name(one.finding, words)
        detail = words("loss.todo_flow", flow=flow, sure=words.percent(one.finding.confidence, 0))
        who = leaks.contractor(one.order.contractor, words) if one.order else ""
        if one.what == "send":
            sure = one.finding.pipe is not None and one.finding.confidence >= 0.5
            text = words("loss.todo_send" if sure else "loss.todo_seek", place=place, cost=cost)
            level = "bad"
        elif one.what == "late" and one.order is not None:
            text = words(
                "loss.todo_late", who=who, place=place, cost=cost, span=words.span(now - one.order.deadline_at)
            )
            level = "bad"
        else:
            until = words.clock(one.order.deadline_at) if one.order else "—"
            text = words("loss.todo_wait", who=who, place=place, cost=cost, until=until)
            level = "warn"
    elif one.stop is not None:
        house = frame.place().called(one.stop.house_id, words.language)
        rub = words.quantity(round(one.stop.expected_rub), "RUB")
        text, level = words("loss.todo_inspect", house=house, rub=rub), "warn"
        detail = one.stop.reasons[0][0 if words.language == "ru" else 1] if one.stop.reasons else ""
    else:
        text = words("loss.todo_calm")
    parts.verdict(level, text, detail)
    return text


def _go(one: todo.Todo, words: Words) -> None:
    """A button to where it is done."""
    section = "leaks" if one.finding is not None else "survey" if one.stop is not None else None
    if section is None:
        return

    def go() -> None:
        st.session_state["water_section"] = section
        if one.finding is not None:
            st.session_state["loss_finding_wanted"] = one.finding.finding_id

    st.button(words("loss.go"), on_click=go, key="water_go", icon=":material/arrow_forward:")


def _zone_verdict(found: judge.ZoneFinding | None, words: Words) -> str:
    if found is None:
        parts.verdict("stale", words("water.empty"))
        return words("water.empty")
    zone, day = _name(found.zone_id, words), words.day(found.day)
    share = words.percent(found.loss_share)
    loss = words.quantity(abs(found.loss_m3), "m3")
    night = ""
    if found.night_flow_m3_h is not None:
        flow = words.quantity(found.night_flow_m3_h, "m3/h")
        if found.night_rise is None:
            night = words("water.night_only", night=flow)
        elif found.night_rise > judge.NIGHT_RISE:
            night = words("water.night_up", night=flow, rise=words.percent(found.night_rise, 0))
        else:
            night = words("water.night_flat", night=flow)
    rising = found.night_rise is not None and found.night_rise > judge.NIGHT_RISE
    tariff = load_city(data.current()).norms.water.tariff_rub_m3
    rub = words.quantity(round(abs(found.loss_m3) * tariff), "RUB")
    level: Level = "bad" if rising else "warn"
    if found.loss_m3 < 0:
        level, text = "warn", words("water.negative", zone=zone, day=day, loss=loss)
    elif _level(found.loss_share) == "good":
        level, text = "good", words("water.small", zone=zone, day=day, loss=loss, share=share)
    else:
        text = words("water.worst", zone=zone, day=day, loss=f"{loss} · {rub}", share=share)
    parts.verdict(level, text, night)
    return text


def _choose(first: date, last: date, words: Words) -> tuple[date, date]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        length = st.segmented_control(
            words("app.period"),
            [*SPANS, 0],
            default=30,
            format_func=lambda days: words("water.days", count=days) if days else words("water.custom"),
            key="water_span",
            required=True,
        )
        if length:
            return max(first, last - timedelta(days=length - 1)), last
        picked = st.date_input(
            words("app.from_to"),
            (max(first, last - timedelta(days=13)), last),
            min_value=first,
            max_value=last,
            format="DD.MM.YYYY",
            key="water_days",
            width=260,
        )
    both = picked if isinstance(picked, tuple) else (picked,)
    return (both[0], both[-1]) if both else (first, last)


def _zone(days: pl.DataFrame, words: Words) -> str | None:
    zones = sorted(days["zone_id"].unique().to_list())
    if len(zones) < 2:
        return None
    picked = st.pills(
        words("water.zone"),
        ["", *zones],
        default="",
        format_func=lambda zone: _name(zone, words) if zone else words("water.all_zones"),
        key="water_zone",
    )
    return picked or None


def _section(known: facts.Leaks, suspects: list[Suspicion], words: Words) -> str:
    counts = {
        "leaks": len(known.running),
        "orders": sum(one.is_open for one in known.orders),
        "survey": len(suspects),
    }

    def title(code: str) -> str:
        count = counts.get(code, 0)
        return f"{words(f'loss.section_{code}')}{f' · {count}' if count else ''}"

    picked = st.segmented_control(
        words("loss.section"), SECTIONS, default="balance", format_func=title, key="water_section", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    return picked or "balance"


def _tiles(days: pl.DataFrame, words: Words) -> None:
    known = days.filter(pl.col("loss_m3").is_not_null())
    by_day = known.group_by("day").agg(pl.col("inflow_m3", "metered_m3", "loss_m3").sum()).sort("day")
    inflow, loss = float(known["inflow_m3"].sum()), float(known["loss_m3"].sum())
    share = loss / inflow if inflow else None
    night = days.filter(pl.col("night_flow_m3_h").is_not_null()).group_by("day").agg(pl.col("night_flow_m3_h").sum())
    flows = night.sort("day")["night_flow_m3_h"].to_list()
    level = _level(share)
    total = words("water.total").lower()
    parts.tiles(
        [
            parts.Tile(words("water.inflow"), words.number(inflow, 0), words.unit("m3"), foot=total,
                       history=by_day["inflow_m3"].to_list()),
            parts.Tile(words("water.metered"), words.number(float(known["metered_m3"].sum()), 0), words.unit("m3"),
                       foot=total, history=by_day["metered_m3"].to_list()),
            parts.Tile(words("water.loss"), words.number(loss, 0), words.unit("m3"), level, foot=total,
                       history=by_day["loss_m3"].to_list()),
            parts.Tile(words("water.share"), words.percent(share), "", level, foot=total,
                       history=(by_day["loss_m3"] / by_day["inflow_m3"]).to_list()),
            parts.Tile(words("water.night"), words.number(flows[-1] if flows else None), words.unit("m3/h"),
                       foot=words.day(night["day"].max()) if flows else "", history=flows),  # type: ignore[arg-type]
        ]
    )  # fmt: skip
    cover = days["metered_covered_share"].mean()
    if isinstance(cover, float) and cover < FULL_COVER:
        parts.caption(words("water.covered", share=words.percent(cover, 0)))


def _days(shown: pl.DataFrame, days: pl.DataFrame, words: Words, *, nights: bool) -> None:
    """nights: the thin night flow too, where the nights with their bands are not known yet."""
    parts.heading(words("water.by_day"), words("water.by_day_note"))
    sums = shown.group_by("day").agg(pl.col("metered_m3").sum(), pl.col("loss_m3").sum()).sort("day")
    st.altair_chart(charts.balance(sums, words), key="balance")
    if nights:
        parts.heading(words("water.night_title"), words("water.night_note"))
        names = {zone_id: _name(zone_id, words) for zone_id in days["zone_id"].unique().to_list()}
        st.altair_chart(charts.nights(shown, names, words), key="nights")
    parts.heading(words("water.zones"), words("water.zones_note"))
    _table(days, words)


def _table(days: pl.DataFrame, words: Words) -> None:
    zones = (
        days.group_by("zone_id")
        .agg(
            pl.col("inflow_m3", "metered_m3", "loss_m3").sum(),
            pl.col("night_flow_m3_h").sort_by("day").last(),
            pl.col("metered_covered_share").mean().alias("covered_share"),
        )
        .with_columns((pl.col("loss_m3") / pl.col("inflow_m3")).alias("share"))
        .sort("share", descending=True, nulls_last=True)
    )
    rows: list[list[parts.Cell | str]] = []
    for zone in zones.iter_rows(named=True):
        share = zone["share"]
        rows.append(
            [
                _name(zone["zone_id"], words),
                parts.Cell(words.percent(share), _level(share), number=True),
                parts.Cell(words.quantity(zone["loss_m3"], "m3"), number=True),
                parts.Cell(words.quantity(zone["inflow_m3"], "m3"), number=True),
                parts.Cell(words.quantity(zone["metered_m3"], "m3"), number=True),
                parts.Cell(words.quantity(zone["night_flow_m3_h"], "m3/h"), number=True),
                parts.Cell(words.percent(zone["covered_share"], 0), number=True),
            ]
        )
    parts.table(
        [words(f"water.{name}") for name in ("zone", "share", "loss", "inflow", "metered", "night", "coverage")], rows
    )


def _meeting(
    said: str,
    chosen: tuple[date, date],
    zone: str | None,
    known: facts.Leaks,
    suspects: list[Suspicion],
    words: Words,
    now: datetime,
) -> None:
    parts.heading(words("loss.meeting"), words("loss.meeting_note"))
    told = meeting.gather(
        todo=said, city=frame.place().name(words.language), chosen=chosen, leaks=known, suspicions=suspects,
        balance_days=balance.of_zone(facts.optional(own.BALANCE_DAYS, chosen), zone), names=frame.place().called,
        words=words, now=now,
    )  # fmt: skip
    with st.container(horizontal=True):
        st.download_button(
            words("loss.as_pdf"), meeting.pdf(told, words), file_name=f"voda-{chosen[1]}.pdf", mime="application/pdf",
            type="primary", key="water_pdf", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            words("loss.as_xlsx"), meeting.xlsx(told, words), file_name=f"voda-{chosen[1]}.xlsx", key="water_xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", on_click="ignore",
        )  # fmt: skip
    for table in told.tables:
        parts.heading(table.heading, words("app.rows_shown", count=len(table.rows)))


main()
