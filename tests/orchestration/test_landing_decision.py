"""When the landing sensor asks for a load: once a set of segments, never beside a load, again when one was lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.lib.landing import ASK_AGAIN_S, PATIENCE_S, Cursor, Waiting, decide

BUSES = Waiting("vehicle_position", ("vehicle_position-1", "vehicle_position-2"), 2_000)
OUTCOMES = Waiting("ingest_outcome", ("ingest_outcome-1",), 100)
NOW = 1_000_000.0


def test_nothing_waits() -> None:
    assert decide([], Cursor(), NOW, busy=False).feeds == ()


def test_new_segments_are_asked_for_once() -> None:
    first = decide([BUSES, OUTCOMES], Cursor(), NOW, busy=False)
    assert first.feeds == ("vehicle_position", "ingest_outcome")
    assert set(first.fresh) == {"vehicle_position", "ingest_outcome"}
    second = decide([BUSES, OUTCOMES], first.cursor, NOW + 2, busy=False)
    assert (second.feeds, dict(second.fresh)) == ((), {})


def test_what_comes_during_a_load_is_asked_for_after_it() -> None:
    first = decide([BUSES], Cursor(), NOW, busy=False)
    more = Waiting("vehicle_position", (*BUSES.segments, "vehicle_position-3"), 3_000)
    during = decide([more], first.cursor, NOW + 10, busy=True)
    assert during.feeds == ()
    assert set(during.fresh) == {"vehicle_position"}
    after = decide([Waiting("vehicle_position", ("vehicle_position-3",), 1_000)], during.cursor, NOW + 20, busy=False)
    assert after.feeds == ("vehicle_position",)
    assert after.run_key != first.run_key


def test_a_load_that_was_lost_is_asked_for_again_with_another_key() -> None:
    first = decide([BUSES], Cursor(), NOW, busy=False)
    assert decide([BUSES], first.cursor, NOW + ASK_AGAIN_S - 1, busy=False).feeds == ()
    again = decide([BUSES], first.cursor, NOW + ASK_AGAIN_S, busy=False)
    assert again.feeds == ("vehicle_position",)
    assert again.run_key != first.run_key


def test_the_platforms_own_bookkeeping_waits_for_company() -> None:
    asked = Cursor(asked="other", asked_at=NOW)
    assert decide([OUTCOMES], asked, NOW + 60, busy=False).feeds == ()
    assert decide([OUTCOMES], asked, NOW + PATIENCE_S, busy=False).feeds == ("ingest_outcome",)
    assert decide([BUSES, OUTCOMES], asked, NOW + 60, busy=False).feeds == ("vehicle_position", "ingest_outcome")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 300), st.booleans()), max_size=40))
def test_every_segment_is_loaded_in_the_end(steps: list[tuple[bool, float, bool]]) -> None:
    """Segments come and runs die at random; when it grows quiet, one more request takes whatever still waits."""
    cursor, now, names, count = Cursor(), NOW, [], 0
    for comes, seconds, succeeds in steps:
        now += seconds
        if comes:
            count += 1
            names.append(f"vehicle_position-{count:06d}")
        waiting = [Waiting("vehicle_position", tuple(names), 1)] if names else []
        decision = decide(waiting, cursor, now, busy=False)
        cursor = Cursor.model_validate_json(decision.cursor.model_dump_json())
        if decision.feeds and succeeds:
            names.clear()
    if names:
        waiting = [Waiting("vehicle_position", tuple(names), 1)]
        assert decide(waiting, cursor, now + ASK_AGAIN_S, busy=False).feeds == ("vehicle_position",)
