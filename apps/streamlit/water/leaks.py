"""Section "leaks": findings on the network, one pipe in detail, what they have cost, the button that sends a crew."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from apps.streamlit import data, frame, maps, parts
from apps.streamlit.look import RGB
from apps.streamlit.water import drawing, facts, network, presser, queries, sending
from apps.streamlit.words import Words
from city.profile import load_city
from domains.water.orders import incident_of, order_of
from ingest.contracts.leak_finding import LeakFinding

FAR_COLOUR = [217, 162, 59, 230]
FOUND_COLOUR = [210, 84, 40, 255]
SENT_COLOUR = [123, 78, 155, 255]
SHOWN_ALTERNATIVES = 5
BEFORE = timedelta(days=14)
"""Of the nights before a leak that its evidence shows."""


def name(finding: LeakFinding, words: Words) -> str:
    """ "Труба p227, Центральный": what a person calls the leak."""
    zone = frame.place().called(finding.zone_id, words.language) if finding.zone_id else ""
    pipe = words("loss.pipe_named", pipe=finding.pipe) if finding.pipe else words("loss.pipe_unknown")
    return f"{pipe}, {zone}" if zone else pipe


def cost(finding: LeakFinding, words: Words) -> str:
    return words("loss.a_day", cost=words.quantity(round(finding.cost_day or 0), "RUB"))


def alternatives(finding: LeakFinding) -> list[dict[str, Any]]:
    """[{pipe, weight, distance_m}]; none where the text is not such a list."""
    try:
        told = json.loads(finding.alternatives or "[]")
    except ValueError:
        return []
    found = []
    for one in told if isinstance(told, list) else []:
        if isinstance(one, dict) and one.get("pipe"):
            found.append(one)
        elif isinstance(one, list) and one:
            found.append({"pipe": str(one[0]), "weight": one[1] if len(one) > 1 else None,
                          "distance_m": one[2] if len(one) > 2 else None})  # fmt: skip
    return found[:SHOWN_ALTERNATIVES]


def show(leaks: facts.Leaks, zone: str | None, words: Words, now: datetime) -> None:
    running = [one for one in leaks.running if zone is None or one.zone_id == zone]
    if not running:
        parts.notice(words("loss.no_leaks"), words("loss.no_leaks_remedy"))
        if (net := network.here()) is not None:
            _map(net, leaks, [], None, words)
        return
    net = network.here()
    chosen = _choose(running, words)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        parts.heading(words("loss.map"), words("loss.map_note"))
        picked = _map(net, leaks, running, chosen, words)
        if picked is not None and picked != chosen.finding_id:
            st.session_state["loss_finding_wanted"] = picked
            st.rerun()
    with right:
        _detail(chosen, leaks, net, words, now)
    parts.heading(words("loss.curve"), words("loss.curve_note"))
    names = {one.finding_id: name(one, words) for one in running}
    st.altair_chart(
        drawing.cost_curve(drawing.running_cost(running, names, now, rest=words("loss.other_leaks")), words),
        key="cost_curve",
    )
    _table(running, leaks, words, now)


def _choose(running: list[LeakFinding], words: Words) -> LeakFinding:
    by_id = {one.finding_id: one for one in running}
    wanted = st.session_state.pop("loss_finding_wanted", None)
    if wanted in by_id:
        st.session_state["loss_finding"] = wanted
    picked = st.selectbox(
        words("loss.leak"),
        list(by_id),
        format_func=lambda code: (
            f"{name(by_id[code], words)} · {cost(by_id[code], words)}" if code in by_id else code
        ),
        key="loss_finding",
    )  # fmt: skip
    return by_id.get(picked or "", running[0])


def _map(
    net: network.Network | None,
    leaks: facts.Leaks,
    running: list[LeakFinding],
    chosen: LeakFinding | None,
    words: Words,
) -> str | None:
    """Draws the network, the findings and the chosen one's other pipes; the finding that was clicked."""
    marked: dict[str, list[int]] = {}
    tips: dict[str, str] = {}
    if net is not None:
        for link in net.pipes.values():
            size = words.quantity(link.diameter_mm, "mm") if link.diameter_mm else ""
            long = words.quantity(link.length_m, "m") if link.length_m else ""
            shut = words("loss.is_shut") if link.is_shut else ""
            tips[link.link_id] = maps.tip_html([link.link_id, ", ".join(filter(None, (long, size, shut)))])
        for other in alternatives(chosen) if chosen else []:
            if other["pipe"] in net.pipes:
                marked[other["pipe"]] = FAR_COLOUR
        for one in running:
            if one.pipe in net.pipes:
                marked[str(one.pipe)] = SENT_COLOUR if leaks.order_of(one.finding_id) else FOUND_COLOUR
    points = [point for one in running if (point := _point(one, leaks, net, words)) is not None]
    areas = [] if net is None else [network.pipe_layer(net, tips, marked)]
    event: Any = st.pydeck_chart(
        maps.deck(frame.place(), [maps.PointLayer("findings", points, 11)], light=True, areas=areas),
        height=460,
        key="loss_map",
        on_select="rerun",
        selection_mode="single-object",
        alt=words("loss.map_alt", count=len(points)),
    )
    entries = [(RGB["bad"], words("loss.unsent"), ""), ((123, 78, 155), words("loss.sent"), "")]
    if net is not None:
        entries += [((217, 162, 59), words("loss.maybe_here"), ""), ((43, 140, 176), words("loss.pipes"), ""),
                    ((120, 128, 134), words("loss.is_shut"), "")]  # fmt: skip
    parts.legend(entries)
    for layer, objects in (event.selection.objects if event else {}).items():
        entity = str(objects[0].get("entity")) if objects else ""
        for one in running:
            if (layer == "findings" and one.finding_id == entity) or (layer == "pipes" and one.pipe == entity):
                return one.finding_id
    return None


def _point(one: LeakFinding, leaks: facts.Leaks, net: network.Network | None, words: Words) -> maps.Point | None:
    place = (one.latitude, one.longitude) if one.latitude is not None and one.longitude is not None else None
    if place is None and net is not None and one.pipe in net.pipes:
        place = net.pipes[str(one.pipe)].middle
    place = place or frame.place().where(one.zone_id)
    if place is None:
        return None
    sent = leaks.order_of(one.finding_id) is not None
    lines = [name(one, words), words.quantity(one.flow_m3_h, "m3/h"),
             cost(one, words)]  # fmt: skip
    return maps.Point(one.finding_id, place[0], place[1], (123, 78, 155) if sent else RGB["bad"], lines)


def _detail(one: LeakFinding, leaks: facts.Leaks, net: network.Network | None, words: Words, now: datetime) -> None:
    parts.heading(name(one, words))
    flow = words.quantity(one.flow_m3_h, "m3/h")
    if one.flow_low_m3_h is not None and one.flow_high_m3_h is not None:
        flow += f" ({words.number(one.flow_low_m3_h)}…{words.number(one.flow_high_m3_h)})"
    said = [
        (words("loss.flow"), flow),
        (words("loss.cost"), cost(one, words)),
        (words("loss.sure"), words.percent(one.confidence, 0)),
        (words("loss.first_seen"), words.clock(one.first_seen)),
    ]
    if one.likely_start:
        lasted = (now - one.likely_start).total_seconds() / 86_400
        spent = words.quantity(round(lasted * (one.cost_day or 0)), "RUB")
        said.append((words("loss.began"), f"{words.clock(one.likely_start)} · {words('loss.already', rub=spent)}"))
    if net is not None and one.pipe in net.pipes:
        pipe = net.pipes[str(one.pipe)]
        said.append((words("loss.pipe"), ", ".join(filter(None, (
            words.quantity(pipe.length_m, "m") if pipe.length_m else "",
            f"⌀ {words.quantity(pipe.diameter_mm, 'mm')}" if pipe.diameter_mm else "")))))  # fmt: skip
    others = [f"{other['pipe']}{_beside(other, words)}" for other in alternatives(one) if other["pipe"] != one.pipe]
    if others:
        said.append((words("loss.others"), "; ".join(others)))
    parts.facts(said)
    order = leaks.order_of(one.finding_id)
    if order is None:
        _send(one, words, now)
    else:
        late = order.is_open and order.is_late(now)
        parts.notice(
            words("loss.order_is", stage=words(f"stage_order.{order.stage}"), who=contractor(order.contractor, words)),
            words("loss.order_late" if late else "loss.order_until", time=words.clock(order.deadline_at)),
        )
    _evidence(one, words)


def _beside(other: dict[str, Any], words: Words) -> str:
    far, weight = other.get("distance_m"), other.get("weight")
    said = [words.quantity(far, "m") if isinstance(far, int | float) else "",
            words.percent(weight, 0) if isinstance(weight, int | float) else ""]  # fmt: skip
    told = ", ".join(filter(None, said))
    return f" ({told})" if told else ""


def contractor(code: str, words: Words) -> str:
    known = network.plan(str(data.current().cities_dir), data.current().city).contractors.get(code)
    return code if known is None else getattr(known, f"name_{words.language}")


def _send(one: LeakFinding, words: Words, now: datetime) -> None:
    """Contractor, name and the one button. What is published: the incident and the order, ids made from the finding."""
    known = network.plan(str(data.current().cities_dir), data.current().city).contractors
    with st.container(border=True):
        who = st.selectbox(
            words("loss.contractor"), list(known) or ["water-utility"],
            format_func=lambda code: contractor(code, words), key="loss_contractor",
        )  # fmt: skip
        person = presser.ask(words, "loss_presser")
        pressed = st.button(
            words("loss.send"), type="primary", disabled=not person, key="loss_send", width="stretch",
            help=None if person else words("loss.name_first"),
        )  # fmt: skip
        if st.session_state.get("loss_sent") == one.finding_id and not pressed:
            parts.caption(words("loss.sent_wait"))
        if not pressed or not person:
            return
        where = load_city(data.current())
        order = order_of(one, where.norms.water, contractor=str(who), ordered_at=now, ordered_by=person)
        try:
            sending.send(data.current(), [incident_of(one, now), order])
        except sending.NotSentError:
            parts.notice(words("loss.not_sent"), words("loss.not_sent_remedy"), "gorodok doctor")
            return
        st.session_state["loss_sent"] = one.finding_id
        data.state.clear()
        parts.verdict("good", words("loss.sent_now", who=contractor(str(who), words)),
                      words("loss.order_until", time=words.clock(order.deadline_at)))  # fmt: skip


def _evidence(one: LeakFinding, words: Words) -> None:
    """The zone's nights around the leak's beginning: what the finding rests on, for a person to see."""
    if one.zone_id is None:
        return
    until = one.ended_at or datetime.now(one.first_seen.tzinfo)
    begin = (one.likely_start or one.first_seen) - BEFORE
    nights = facts.optional(queries.NIGHTS, (max(begin, drawing.long_ago(until)).date(), until.date()))
    rows = nights.filter(pl.col("zone_id") == one.zone_id) if not nights.is_empty() else nights
    if rows.height >= 2:
        parts.caption(words("loss.evidence"))
        st.altair_chart(drawing.night_band(rows, words, 150), key=f"evidence_{one.finding_id}")


def _table(running: list[LeakFinding], leaks: facts.Leaks, words: Words, now: datetime) -> None:
    rows: list[list[parts.Cell | str]] = []
    for one in running[:100]:
        order = leaks.order_of(one.finding_id)
        late = order is not None and order.is_open and order.is_late(now)
        state = words("loss.unsent") if order is None else words(f"stage_order.{order.stage}")
        state = words("loss.late") if late else state
        rows.append(
            [
                parts.Cell(name(one, words), note=words("loss.seen_ago", age=words.age(one.first_seen, now))),
                parts.Cell(words.quantity(one.flow_m3_h, "m3/h"), number=True),
                parts.Cell(words.quantity(round(one.cost_day or 0), "RUB"), number=True),
                parts.Cell(words.percent(one.confidence, 0), number=True),
                parts.Cell(state, "bad" if late or order is None else "good"),
            ]
        )
    parts.heading(words("loss.all_leaks"))
    parts.table([words(f"loss.{key}") for key in ("leak", "flow", "cost_a_day", "sure", "crew")], rows)
