"""Section "orders": who digs where, until when, and what it saved."""

from __future__ import annotations

from datetime import datetime

from apps.streamlit import frame, parts
from apps.streamlit.look import Level
from apps.streamlit.water import facts
from apps.streamlit.water.leaks import contractor
from apps.streamlit.words import Words

SHOWN = 60


def show(leaks: facts.Leaks, zone: str | None, words: Words, now: datetime) -> None:
    orders = [one for one in leaks.orders if zone is None or one.zone_id == zone]
    if not orders:
        parts.notice(words("loss.no_orders"), words("loss.no_orders_remedy"))
        return
    running = [one for one in orders if one.is_open]
    late = [one for one in running if one.is_late(now)]
    done = [one for one in orders if one.stage in ("done", "checked")]
    in_time = [one for one in done if not one.is_late(now)]
    saved = sum(one.saved_m3_h or 0 for one in done)
    parts.tiles(
        [
            parts.Tile(words("loss.orders_open"), words.number(len(running))),
            parts.Tile(words("loss.orders_late"), words.number(len(late)), level="bad" if late else "good"),
            parts.Tile(words("loss.orders_in_time"), words.percent(len(in_time) / len(done), 0) if done else "—"),
            parts.Tile(words("loss.saved"), words.number(saved), words.unit("m3/h"), foot=words("loss.saved_note")),
        ]
    )
    rows: list[list[parts.Cell | str]] = []
    for one in orders[:SHOWN]:
        is_late = one.is_late(now)
        zone_name = frame.place().called(one.zone_id, words.language) if one.zone_id else ""
        stage = words("loss.late") if one.is_open and is_late else words(f"stage_order.{one.stage}")
        note = (
            words(f"stage_order.{one.stage}") if one.is_open and is_late else words("loss.was_late") if is_late else ""
        )
        rows.append(
            [
                parts.Cell(_where(one.place, words), note=zone_name),
                words(f"order_kind.{one.kind}"),
                contractor(one.contractor, words),
                parts.Cell(stage, _level(one, now), note=note),
                parts.Cell(words.clock(one.deadline_at), number=True),
                parts.Cell(words.quantity(one.cost_rub, "RUB"), number=True),
                parts.Cell(words.quantity(one.saved_m3_h, "m3/h"), number=True),
            ]
        )
    parts.table(
        [words(f"loss.{key}") for key in ("where", "work", "contractor", "stage", "deadline", "spent", "saved")], rows
    )
    if len(orders) > SHOWN:
        parts.caption(words("app.rows_shown", count=SHOWN))


def _level(one: facts.Order, now: datetime) -> Level:
    if one.stage == "cancelled":
        return "none"
    if one.is_open:
        return "bad" if one.is_late(now) else "warn"
    return "good"


def _where(place: str, words: Words) -> str:
    """Our own orders say the place twice, "труба p1 / pipe p1, dma-2": the reader's half of it."""
    first, _, _ = place.partition(",")
    halves = first.split(" / ")
    return halves[0 if words.language == "ru" else 1] if len(halves) == 2 else place
