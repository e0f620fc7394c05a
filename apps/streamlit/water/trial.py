"""Section "what if": close a valve or repair a pipe in the model, and see pressures and losses in seconds."""

from __future__ import annotations

import time
from typing import Any

import polars as pl
import pydeck as pdk
import streamlit as st

from apps.streamlit import data, frame, maps, parts
from apps.streamlit.water import facts, network
from apps.streamlit.words import Words
from city.profile import WaterNorms, load_city
from domains.water.whatif import Answer, Baseline, Change, WhatIfError, baseline, what_if

LITRES = 1_000.0


@st.cache_resource(show_spinner=False, max_entries=4)
def _baseline(city: str, leaks: tuple[tuple[str, float], ...]) -> Baseline:
    net = network.here()
    assert net is not None
    return baseline(net.model, dict(leaks))


def show(leaks: facts.Leaks, words: Words) -> None:
    net = network.here()
    if net is None:
        parts.notice(
            words("loss.no_network"), words("loss.no_network_remedy"), "gorodok water network FILE.inp --out DIR"
        )
        return
    running = {str(one.pipe): one.flow_m3_h for one in leaks.running if one.pipe in net.pipes}
    parts.heading(words("loss.trial"), words("loss.trial_note"))
    left, right = st.columns(2, gap="medium")
    with left:
        closed = st.multiselect(
            words("loss.close"),
            sorted(net.pipes),
            key="trial_close",
            placeholder=words("loss.close_hint"),
            max_selections=12,
            select_all=False,
        )
    with right:
        repaired = st.multiselect(
            words("loss.repair"),
            sorted(running),
            key="trial_repair",
            placeholder=words("loss.repair_hint"),
            disabled=not running,
            select_all=False,
        )
    started = time.perf_counter()
    try:
        with st.spinner(words("loss.reckons")):
            base = _baseline(data.current().city, tuple(sorted(running.items())))
            norms = load_city(data.current()).norms.water
            told = what_if(base, Change(tuple(closed), tuple(repaired)), pressure_min_m=norms.pressure_min_m)
    except WhatIfError as error:
        parts.notice(words("loss.trial_failed"), str(error))
        return
    took = time.perf_counter() - started
    _say(told, bool(closed or repaired), norms, words)
    _map(net, told, closed, repaired, words)
    parts.caption(
        words("loss.trial_caption", norm=words.quantity(norms.pressure_min_m, "m"), took=words.number(took, 1))
    )


def _say(told: Answer, asked: bool, norms: WaterNorms, words: Words) -> None:
    def people(flag: str) -> int:
        return round(told.demand_m3_day(flag) * LITRES / norms.use_l_person_day)

    rub = told.saved_m3_h * 24 * norms.tariff_rub_m3
    if not asked:
        parts.verdict("none", words("loss.trial_ask"), words("loss.trial_ask_more"))
    elif told.cut_off:
        parts.verdict(
            "bad",
            words("loss.trial_cut", count=people("is_cut_off")),
            words("loss.trial_saves", rub=words.quantity(round(rub), "RUB")),
        )
    elif told.newly_below:
        parts.verdict(
            "warn",
            words("loss.trial_below", count=people("is_below")),
            words("loss.trial_saves", rub=words.quantity(round(rub), "RUB")),
        )
    else:
        parts.verdict(
            "good", words("loss.trial_fine"), words("loss.trial_saves", rub=words.quantity(round(rub), "RUB"))
        )
    changes = told.nodes["change_m"].drop_nulls()
    lowest = told.nodes["after_m"].drop_nulls().min()
    parts.tiles(
        [
            parts.Tile(words("loss.trial_loss"), words.number(told.loss_after_m3_h), words.unit("m3/h"),
                       change=words.quantity(-told.saved_m3_h, "m3/h", sign=True) if asked else "",
                       change_level="good" if told.saved_m3_h > 0 else "none"),
            parts.Tile(words("loss.trial_lowest"), words.number(lowest), words.unit("m"),  # type: ignore[arg-type]
                       "bad" if isinstance(lowest, float) and lowest < norms.pressure_min_m else "good"),
            parts.Tile(words("loss.trial_drop"), words.number(changes.min() if changes.len() else None),  # type: ignore[arg-type]
                       words.unit("m")),
            parts.Tile(words("loss.trial_people"), words.number(people("is_below") + people("is_cut_off"))),
        ]
    )  # fmt: skip


def _colour(row: dict[str, Any]) -> list[int]:
    """Cut off: black; below the norm: vermilion; else from white (no change) to amber (10 m less) or blue (more)."""
    if row["is_cut_off"]:
        return [20, 33, 43, 255]
    if row["is_below"]:
        return [210, 84, 40, 255]
    change = row["change_m"] or 0.0
    part = min(1.0, abs(change) / 5.0)
    end = (217, 162, 59) if change < 0 else (11, 106, 140)
    return [*(round(190 + (channel - 190) * part) for channel in end), 235]


def _map(net: network.Network, told: Answer, closed: list[str], repaired: list[str], words: Words) -> None:
    rows = []
    for row in told.nodes.filter(pl.col("demand_m3_day") >= 0).iter_rows(named=True):
        if row["node_id"] not in net.nodes:
            continue
        lon, lat = net.nodes[row["node_id"]]
        now = words("loss.no_water") if row["is_cut_off"] else words.quantity(row["after_m"], "m")
        tip = maps.tip_html([row["node_id"], now, words.quantity(row["change_m"], "m", sign=True)])
        rows.append(
            {"entity": row["node_id"], "position": [round(lon, 6), round(lat, 6)], "colour": _colour(row), "tip": tip}
        )
    points = pdk.Layer(
        "ScatterplotLayer", id="trial-nodes", data=rows, get_position="position", get_fill_color="colour",
        radius_units=maps.PIXELS, get_radius=5, stroked=True, get_line_color=[60, 70, 80, 140],
        line_width_units=maps.PIXELS, get_line_width=0.8, pickable=True,
    )  # fmt: skip
    marked = {link: [20, 33, 43, 255] for link in closed} | {link: [11, 106, 140, 255] for link in repaired}
    tips = {link: maps.tip_html([link]) for link in net.pipes}
    deck = maps.deck(frame.place(), [], light=True, areas=[network.pipe_layer(net, tips, marked), points])
    st.pydeck_chart(deck, height=440, key="trial_map")
    parts.legend(
        [((190, 190, 190), words("loss.key_same"), ""), ((217, 162, 59), words("loss.key_less"), ""),
         ((11, 106, 140), words("loss.key_more"), ""), ((210, 84, 40), words("loss.key_below"), ""),
         ((20, 33, 43), words("loss.key_cut"), "")]
    )  # fmt: skip
