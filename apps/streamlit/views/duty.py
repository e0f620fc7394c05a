"""The duty officer's page: what is going on in one sentence, who answered and who did not, whom to call, the buttons.

Everything live is asked from the reflex process once a second. `?wall=1` is for a screen on a wall: large, no controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from actuation.reflex.shapes import DeviceRow, Press, RunRow
from apps.streamlit import data, desk, duty_judge, duty_parts, frame, maps, parts, scenarios, who
from apps.streamlit.look import Level
from apps.streamlit.words import Words
from city.contacts import load_contacts

TICK_S = 1
MAP_S = 2
CALLS, DEVICES = 60, 15
WALL_LINES, LINES = 8, 40
LEVELS: dict[str, Level] = {
    "alarm": "bad", "waiting": "warn", "drill": "warn", "drafts": "warn", "acting": "good", "calm": "good",
}  # fmt: skip


def main() -> None:
    words = frame.words()
    wall = st.query_params.get("wall") == "1"
    if wall:
        st.html('<div class="d-wall"></div>')
        with frame.told(words):
            _wall()
        return
    with frame.page("duty", frame.place().name(words.language)):
        person = who.here()
        _sign(person, words)
        now_live()
        left, right = st.columns([3, 2], gap="medium")
        with left:
            parts.heading(words("duty.map"), words("duty.map_note"))
            live_map()
        with right:
            sources()
        if person.may_press:
            with frame.told(words):
                _controls(words)
        below()


def _wall() -> None:
    """What is going on and whom to call at the left, where at the right: one screen, nothing to scroll."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        now_live(wall=True)
    with right:
        live_map(wall=True)
        wall_lines()


def _sign(person: who.Person, words: Words) -> None:
    """Who looks, and the way in or out."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="duty_who"):
        role = words(f"duty.role_{person.role}")
        text = words("duty.you", name=person.name, role=role) if person.signed_in else words("duty.viewer")
        parts.caption(words("duty.shift_over", name=person.name) if person.ended else text)
        if person.signed_in and not person.ended:
            st.button(words("duty.sign_out"), on_click=st.logout, key="sign_out")
        elif person.can_sign_in:
            st.button(words("duty.sign_in"), on_click=st.login, key="sign_in", type="primary")


@st.fragment(run_every=TICK_S)
def now_live(wall: bool = False) -> None:
    """The sentence, the runs with their counts, and whom to call. Drawn anew each second."""
    words = frame.words()
    try:
        seen = desk.look()
    except data.Trouble as trouble:
        _away(trouble, words)
        return
    with frame.told(words):
        now = duty_judge.moment(seen.status["now"]) or frame.now()
        runs = duty_judge.gravest_first(seen.runs)
        tallies = {run["run_id"]: duty_judge.count(seen.run_devices[run["run_id"]], now) for run in runs}
        scene = duty_judge.scene(runs, seen.drafts)
        if scene == "drill":
            duty_parts.banner(words("duty.banner"))
        _sentence(scene, runs, tallies, seen, words)
        _said(words)
        person = who.Person() if wall else who.here()
        for run in runs:
            duty_parts.run_card(run, tallies[run["run_id"]], words, frame.place(), now, alone=len(runs) == 1)
            if person.may_press:
                _run_buttons(run, person, words)
        asked = _asked(seen, now)
        missing = duty_judge.need_a_call(asked, now)
        if missing:
            parts.heading(words("duty.call"), words("duty.call_note", count=len(missing)))
            duty_parts.calls(missing[:CALLS], words, now, _contacts(missing))
        if not wall:
            _drafts(seen, person, words)


def _away(trouble: data.Trouble, words: Words) -> None:
    """No guesses when nobody knows: the last picture is not shown as if it were the city."""
    parts.verdict("bad", words(f"trouble.{trouble.code}.text"), words("duty.away_detail"))
    parts.notice(
        words("duty.away_remedy"), words(f"trouble.{trouble.code}.remedy"), words(f"trouble.{trouble.code}.command")
    )
    with frame.told(words):
        place = frame.place()
        book = load_contacts(data.current().cities_dir / data.current().city)
        entries = [
            (_places([place.called(key, words.language) for key in (*one.buildings, *one.devices)]), str(one))
            for one in book.contacts
        ]
        if book.otherwise is not None:
            entries.insert(0, (words("duty.otherwise"), str(book.otherwise)))
        if entries:
            parts.heading(words("duty.call"))
            duty_parts.book(entries)


def _places(names: list[str]) -> str:
    """The first two, and how many more."""
    more = f" +{len(names) - 2}" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def _sentence(
    scene: str, runs: Sequence[RunRow], tallies: dict[str, duty_judge.Count], seen: desk.Seen, words: Words
) -> None:
    first = runs[0] if runs else None
    detail = ""
    values: dict[str, object] = {
        "count": len(seen.devices),
        "heard": sum(one["sensed"] is not None for one in seen.devices),
    }
    if first is not None:
        tally = tallies[first["run_id"]]
        title = first["title_ru"] if words.language == "ru" else first["title_en"]
        values |= {"what": first["headline"] or title, "done": tally.done, "expected": tally.expected}
        values |= {"silent": tally.silent + tally.failed + tally.refused, "by": first["started_by"] or "—"}
        if tally.expected and scene in ("alarm", "drill"):
            scene_all = "all" if tally.done == tally.expected else "missing" if values["silent"] else "counting"
            detail = words(f"duty.detail_{scene_all}", **values)
    if scene == "drafts":
        detail = words("duty.detail_drafts")
    if scene == "calm" and not seen.status["live_doors"]:
        detail = words("duty.only_drills")
    more = len(runs) - 1
    text = words(f"duty.scene_{scene}", **values)
    parts.verdict(LEVELS[scene], f"{text} {words('duty.and_more', count=more)}" if more > 0 else text, detail)


def _asked(seen: desk.Seen, now: datetime) -> list[DeviceRow]:
    """Devices of the active runs, each once."""
    return duty_judge.each_once((row for rows in seen.run_devices.values() for row in rows), now)


def _contacts(rows: Sequence[DeviceRow]) -> dict[str, str]:
    """The house's contact as the process knows it, else the city's own."""
    book = load_contacts(data.current().cities_dir / data.current().city)
    found = {}
    for row in rows:
        other = book.of(device_id=row["device_id"])
        found[row["device_id"]] = row["contact"] or (str(other) if other is not None else "")
    return found


def _run_buttons(run: RunRow, person: who.Person, words: Words) -> None:
    run_id = run["run_id"]
    with st.container(horizontal=True, key=f"duty_run_{run_id}"):
        if run["waiting_confirmation"]:
            own = run["started_by"] == person.label
            parts.caption(words("duty.asked_by", name=run["started_by"] or "—"))
            st.button(
                words("duty.confirm_own" if own else "duty.confirm"), type="primary", disabled=own,
                key=f"confirm_{run_id}", on_click=_press, args=(run["scenario"], "confirm", run["zones"], run_id),
            )  # fmt: skip
        else:
            with st.popover(words("duty.all_clear"), key=f"clear_{run_id}"):
                parts.caption(words("duty.all_clear_asks"))
                st.button(
                    words("duty.all_clear_yes"), type="primary", key=f"clear_yes_{run_id}",
                    on_click=_press, args=(run["scenario"], "all_clear", run["zones"], run_id),
                )  # fmt: skip
        with st.popover(words("duty.stop"), key=f"stop_{run_id}"):
            parts.caption(words("duty.stop_asks"))
            st.button(
                words("duty.stop_yes"), key=f"stop_yes_{run_id}",
                on_click=_press, args=(run["scenario"], "stop", run["zones"], run_id),
            )  # fmt: skip


def _press(scenario: str, button: Press, zones: Sequence[str], run_id: str | None = None) -> None:
    words = frame.words()
    said = desk.press(who.here(), scenario, button, zones, run_id)
    _keep(said, words(f"duty.pressed_{button}"))


def _keep(said: desk.Said, done: str) -> None:
    st.session_state["duty_said"] = (frame.now(), said, done)


def _said(words: Words) -> None:
    """What the last press of this person came to, for half a minute; a refusal with its reason."""
    kept: tuple[datetime, desk.Said, str] | None = st.session_state.get("duty_said")
    if kept is None or frame.now() - kept[0] > timedelta(seconds=30):
        return
    _, said, done = kept
    if said.done:
        parts.notice(done)
    else:
        parts.notice(words("duty.not_done", why=said.text), said.remedy)


def _controls(words: Words) -> None:
    """Start and drill: what and where must be chosen; a live start is asked for twice."""
    try:
        desk.look()
    except data.Trouble:
        return  # the page says above why there is nothing to press
    chosen = data.current()
    found = scenarios.choices(str(chosen.cities_dir / chosen.city / "scenarios"))
    parts.heading(words("duty.start_something"), words("duty.start_note"))
    if not found:
        parts.notice(words("duty.no_scenarios"), words("duty.no_scenarios_remedy"), words("duty.no_scenarios_command"))
        return
    place = frame.place()
    with st.container(border=True, key="duty_controls"):
        left, right = st.columns(2)
        picked = left.selectbox(
            words("duty.scenario"), found, format_func=lambda one: one.title(words.language), key="duty_scenario"
        )
        zones = right.pills(
            words("duty.zones"), sorted(place.zone_shapes), selection_mode="multi", key="duty_zones",
            format_func=lambda zone: place.called(zone, words.language),
        )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                words("duty.drill"), key="duty_drill", disabled=not zones,
                on_click=_press, args=(picked.code, "drill", list(zones)),
            )  # fmt: skip
            if st.button(words("duty.start"), type="primary", key="duty_start", disabled=not zones):
                _ask(picked, list(zones))
        if not zones:
            parts.caption(words("duty.choose_zones"))


def _ask(picked: scenarios.Choice, zones: list[str]) -> None:
    words = frame.words()

    @st.dialog(words("duty.really"))
    def ask() -> None:
        place = frame.place()
        parts.facts(
            [
                (words("duty.scenario"), picked.title(words.language)),
                (words("duty.zones"), ", ".join(place.called(zone, words.language) for zone in zones)),
            ]
        )
        parts.caption(words("duty.second_person" if picked.second_person else "duty.at_once"))
        args = (picked.code, "start", zones)
        if st.button(words("duty.start_yes"), type="primary", key="duty_start_yes", on_click=_press, args=args):
            st.rerun()  # closes the question

    ask()


@st.fragment(run_every=MAP_S)
def live_map(wall: bool = False) -> None:
    """Devices in the colour of what their own sensors say; zones of what runs, outlined."""
    words, place = frame.words(), frame.place()
    try:
        seen = desk.look()
    except data.Trouble:
        parts.notice(words("duty.map_empty"))
        return
    with frame.told(words):
        now = duty_judge.moment(seen.status["now"]) or frame.now()
        by_kind = {kind: [row for row in seen.devices if row["kind"] == kind] for kind in duty_judge.KINDS}
        layers = [
            maps.PointLayer(kind, [_point(row, words, now) for row in rows], 10 if kind == "door" else 7)
            for kind, rows in by_kind.items()
        ]
        deck = maps.deck(place, layers, light=True, areas=maps.zone_areas(_zone_colours(seen)))
        opened = sum(duty_judge.sense(row, now) == "open" for row in by_kind["door"])
        alt = words("duty.map_alt", opened=opened, doors=len(by_kind["door"]))
        st.pydeck_chart(deck, height=520 if wall else 440, key=f"duty_map{'_wall' if wall else ''}", alt=alt)
        shown = [duty_judge.sense(row, now) for row in seen.devices]
        parts.legend(
            (duty_judge.RGB[sense], words(f"duty.sense_{sense}"), str(shown.count(sense)))
            for sense in duty_judge.RGB
            if sense in shown
        )


def _point(row: DeviceRow, words: Words, now: datetime) -> maps.Point:
    stand = duty_judge.standing(row, now)
    name = row["name_ru"] if words.language == "ru" else row["name_en"]
    lines = [
        name,
        row["address"] or "",
        words("duty.sensor_says", state=duty_parts.state(row["sensed"], words)),
        words(f"duty.stand_{stand}") if stand != "idle" else "",
    ]
    label = "!" if stand in ("silent", "failed", "refused") else ""
    colour = duty_judge.RGB[duty_judge.sense(row, now)]
    return maps.Point(row["device_id"], row["latitude"], row["longitude"], colour, lines, label)


def _zone_colours(seen: desk.Seen) -> list[tuple[dict[str, object], tuple[int, int, int]]]:
    """Zones of active runs: vermilion for what is real, amber for a drill or what waits."""
    colours: dict[str, tuple[int, int, int]] = {}
    for run in reversed(duty_judge.gravest_first(seen.runs)):
        real = run["mode"] == "live" and not run["waiting_confirmation"]
        colours |= dict.fromkeys(run["zones"], (213, 94, 0) if real else (217, 162, 59))
    shapes = frame.place().zone_shapes
    return [(dict(shapes[zone]), colour) for zone, colour in colours.items() if zone in shapes]


@st.fragment(run_every=MAP_S)
def sources() -> None:
    """What each source last said, and when."""
    words = frame.words()
    try:
        seen = desk.look()
    except data.Trouble:
        return
    with frame.told(words):
        parts.heading(words("duty.sources"))
        now = duty_judge.moment(seen.status["now"]) or frame.now()
        rows = [
            [
                parts.Cell(one["code"], note=one["last_what"] or ""),
                parts.Cell(words.age(duty_judge.moment(one["last_seen"]), now)),
                parts.Cell(str(one["accepted"]), number=True),
                parts.Cell(str(one["refused"]), "warn" if one["refused"] else None, number=True),
            ]
            for one in seen.status["sources"]
        ]
        if rows:
            parts.table([words(f"duty.source_{name}") for name in ("code", "last", "accepted", "refused")], rows)
        else:
            parts.notice(words("duty.no_sources"), words("duty.no_sources_remedy"))


def _drafts(seen: desk.Seen, person: who.Person, words: Words) -> None:
    waiting = [draft for draft in seen.drafts if draft["state"] == "waiting"]
    if not waiting:
        return
    parts.heading(words("duty.drafts"), words("duty.drafts_note"))
    place = frame.place()
    for draft in waiting[:10]:
        infos = draft["alert"].get("info") or [{}]
        with st.container(border=True, key=f"draft_{draft['draft_id']}"):
            parts.facts(
                [
                    (
                        words("duty.draft_source"),
                        f"{draft['source']}, {words.age(duty_judge.moment(draft['created_at']))}",
                    ),
                    (words("duty.draft_text"), draft["text"][:600]),
                    (words("duty.draft_becomes"), str(infos[0].get("headline") or infos[0].get("event") or "—")),
                    (words("duty.zones"), ", ".join(place.called(z, words.language) for z in draft["zones"]) or "—"),
                ]
            )
            if person.may_press:
                with st.container(horizontal=True):
                    for confirm in (True, False):
                        word = "confirm" if confirm else "reject"
                        st.button(
                            words(f"duty.draft_{word}"), type="primary" if confirm else "secondary",
                            key=f"draft_{word}_{draft['draft_id']}",
                            on_click=_decide, args=(draft["draft_id"], confirm),
                        )  # fmt: skip


def _decide(draft_id: str, confirm: bool) -> None:
    words = frame.words()
    _keep(desk.decide(who.here(), draft_id, confirm), words(f"duty.draft_{'confirmed' if confirm else 'rejected'}"))


@st.fragment(run_every=MAP_S)
def below() -> None:
    """Devices of what runs, the ledger's newest lines, what ended lately, and every device of the city."""
    words = frame.words()
    try:
        lines, ended, seen = desk.timeline(), desk.past(frame.now() - timedelta(days=30)), desk.look()
    except data.Trouble:
        return
    with frame.told(words):
        now = duty_judge.moment(seen.status["now"]) or frame.now()
        asked = _asked(seen, now)
        if asked:
            parts.heading(words("duty.all_devices", count=len(asked)), words("duty.columns_note"))
            duty_parts.devices(duty_judge.worst_first(asked, now), words, now, DEVICES)
        parts.heading(words("duty.timeline"), words("duty.timeline_note"))
        if lines:
            duty_parts.timeline(lines[:LINES], words, frame.place())
        else:
            parts.notice(words("duty.no_lines"))
        if ended:
            parts.heading(words("duty.past"))
            parts.table(
                [words(f"duty.past_{name}") for name in ("what", "mode", "when", "answered")],
                [_past(run, words) for run in ended[:8]],
            )
        with st.expander(words("duty.whole_city", count=len(seen.devices)), key="duty_city"):
            duty_parts.devices(duty_judge.worst_first(seen.devices, now), words, now, 200)


def _past(run: RunRow, words: Words) -> list[parts.Cell | str]:
    title = run["title_ru"] if words.language == "ru" else run["title_en"]
    expected, done = sum(c["expected"] for c in run["commands"]), sum(c["done"] for c in run["commands"])
    return [
        parts.Cell(run["headline"] or title, note=title if run["headline"] else ""),
        words(f"duty.kind_{duty_parts.kind_of(run)}"),
        words.clock(duty_judge.moment(run["started_at"])),
        parts.Cell(words("duty.of", done=done, expected=expected) if expected else "—", number=True),
    ]


@st.fragment(run_every=MAP_S)
def wall_lines() -> None:
    words = frame.words()
    try:
        lines = desk.timeline()
    except data.Trouble:
        return
    with frame.told(words):
        parts.heading(words("duty.timeline"))
        duty_parts.timeline(lines[:WALL_LINES], words, frame.place())


main()
