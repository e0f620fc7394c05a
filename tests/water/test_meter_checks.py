"""Meter checks: each kind by hand; a wrong reading never blocks the right ones; the stream equals the batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.water.meters import KINDS, Checks, Flags, Limits, Readings
from domains.water.meters.kinds import WORDS
from domains.water.meters.state import State

HOUR = 3_600_000_000
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1e6)


def readings(values: list[tuple[float, float]], meter: str = "m", scope: str = "flat", ahead_h: float = 0) -> Readings:
    """(hour, m3) of one meter; received a second later, `ahead_h` hours before what its clock says."""
    at = np.array([START + round(hour * HOUR) for hour, _ in values], dtype=np.int64)
    received = at + 1_000_000 - round(ahead_h * HOUR)
    return Readings([meter] * len(at), [scope] * len(at), at, np.array([v for _, v in values], dtype=float), received)


def told(flags: Flags) -> list[tuple[int, str, bool]]:
    return [(int(flags.row[n]), flags.kind_of(n), bool(flags.raised[n])) for n in range(len(flags))]


def run(*values: tuple[float, float], **more: Any) -> list[tuple[int, str, bool]]:
    return told(Checks().step(readings(list(values), **more)))


def test_right_readings_raise_nothing() -> None:
    assert run(*[(hour, 100 + hour * 0.02) for hour in range(500)]) == []


@pytest.mark.parametrize(
    ("wrong", "kind"), [(150.0, "rate_high"), (90.0, "rate_negative"), (100_060.0, "unit_error"), (0.1, "unit_error")]
)
def test_one_wrong_reading_is_told_and_clears_itself(wrong: float, kind: str) -> None:
    assert run((0, 100), (1, 100.02), (2, wrong), (3, 100.06), (4, 100.08)) == [(2, kind, True), (3, kind, False)]


def test_a_pipe_lets_through_what_its_size_allows() -> None:
    """Q4 = 1.25 · 2.5 = 3.125 m3/h for a flat: 3 an hour pass, 4 do not; a known size counts more than the scope."""
    assert run((0, 100), (1, 103.0)) == []
    assert run((0, 100), (1, 104.0)) == [(1, "rate_high", True)]
    assert run((0, 100), (1, 104.0), scope="house") == []
    known = Checks(Limits(of_meter={"m": 10.0}))
    assert told(known.step(readings([(0, 100), (1, 104.0)]))) == []


def test_a_repeat_is_told_and_changes_nothing() -> None:
    assert run((0, 100), (1, 100.1), (1, 107.0), (2, 100.2)) == [(2, "duplicate", True), (3, "duplicate", False)]


def test_a_clock_ahead_does_not_block_the_right_one() -> None:
    checks = Checks()
    checks.step(readings([(0, 100)]))
    assert told(checks.step(readings([(9_000, 100.1)], ahead_h=8_999))) == [(0, "future", True)]
    assert told(checks.step(readings([(2, 100.2), (3, 100.3)]))) == [(0, "future", False)]


def test_a_time_that_was_wrongly_believed_is_left_behind() -> None:
    """The wrong date came in a replay, where everything is in the past: three right readings win against it."""
    flags = run((0, 100), (1, 100.1), (9_000, 100.2), (2, 100.2), (3, 100.3), (4, 100.4), (5, 100.5))
    assert flags == [(5, "future", True), (6, "future", False)]


def test_roll_over_is_counted() -> None:
    assert run((0, 9_999.5), (1, 9_999.9), (2, 0.2), (3, 0.4)) == [(2, "roll_over", True), (3, "roll_over", False)]


def test_a_new_meter_is_believed_at_its_third_reading() -> None:
    flags = run((0, 500), (1, 500.1), (2, 0.1), (3, 0.2), (4, 0.3), (5, 0.4))
    assert flags == [
        (2, "rate_negative", True), (4, "rate_negative", False),
        (4, "meter_changed", True), (5, "meter_changed", False),
    ]  # fmt: skip


def test_water_that_ran_back_makes_no_new_meter() -> None:
    flags = run((0, 500), (1, 500.1), (2, 500.0), (3, 500.02), (4, 500.03))
    assert flags == [(2, "rate_negative", True), (4, "rate_negative", False)]


def test_stuck_against_its_habit_and_free_again() -> None:
    """0.48 m3 a day for 40 days, then nothing. The habit of 30 days has learnt 1 − exp(−40/30) = 0.736 of it, so 2.5 m3
    are missing after 7.1 days, which is 170 hours. It clears when the counter moves."""
    course = [(hour, hour * 0.02) for hour in range(960)]
    still = [(hour, 959 * 0.02) for hour in range(960, 1_200)]
    flags = run(*course, *still, (1_200, 959 * 0.02 + 0.1))
    assert [(kind, raised) for _, kind, raised in flags] == [("stuck", True), ("stuck", False)]
    assert flags[0][0] == pytest.approx(959 + 170, abs=1)


def test_a_flat_that_nobody_lives_in_is_not_stuck() -> None:
    assert run(*[(hour, 12.5) for hour in range(3_000)]) == []


def test_a_visit_clears_or_sets() -> None:
    checks = Checks()
    checks.step(readings([(hour, hour * 0.02) for hour in range(960)] + [(hour, 19.18) for hour in range(960, 1_200)]))
    at = START + 1_200 * HOUR
    assert checks.visited("m", "ok", at) == ("stuck", False)
    assert checks.visited("m", "dead", at) == ("dead", True)
    assert checks.visited("m", "dead", at) is None
    assert checks.visited("nobody", "dead", at) is None
    assert told(checks.step(readings([(1_201, 19.18), (1_202, 19.5)]))) == [(1, "dead", False)]
    checks.visited("m", "replaced", at)
    assert told(checks.step(readings([(1_203, 0.0), (1_204, 0.1)]))) == []


def test_words_in_both_languages_have_their_figures() -> None:
    flags = Checks().step(readings([(0, 100), (1, 104.0)]))
    russian, english = flags.words(0)
    assert "104.000 м³ после 100.000 м³" in russian
    assert "more than the pipe lets through" in english
    for words in WORDS.values():
        assert all(words.told(value=1, before=1, low=1, high=1, hours=1))


def town(seed: int, count: int = 30, hours: int = 60) -> Readings:
    """Meters with every sort of mischief, in order of receipt."""
    chances = np.random.default_rng(seed)
    rows = []
    for meter in range(count):
        value = chances.uniform(0, 2_000) if meter % 5 else 9_999.0
        for hour in range(hours):
            value += chances.exponential(0.1)
            shown = value % 10_000
            at = START + hour * HOUR + meter
            mischief = chances.random()
            if mischief < 0.02:
                shown *= 1_000
            elif mischief < 0.04:
                shown = max(0.0, shown - 5)
            elif mischief < 0.06:
                shown += 300
            elif mischief < 0.07:
                value = 0.0
            rows.append((at, f"m{meter}", shown, at + 1_000_000))
            if mischief > 0.98:
                rows.append((at, f"m{meter}", shown, at + 2_000_000))
            if 0.96 < mischief < 0.98:
                rows.append((at + 50 * HOUR, f"m{meter}", shown, at + 3_000_000))
    rows.sort(key=lambda row: row[3])
    at, names, values, received = zip(*rows, strict=True)
    return Readings(names, ["flat"] * len(at), np.array(at), np.array(values), np.array(received))


@given(seed=st.integers(0, 2**31), sizes=st.lists(st.integers(1, 400), min_size=1, max_size=12), saved=st.booleans())
@settings(max_examples=25, deadline=None)
def test_stream_equals_batch(seed: int, sizes: list[int], saved: bool) -> None:
    """Cut anywhere, with the state saved and read back in between: the same flags."""
    whole = town(seed)
    batch = Checks().step(whole)
    assert {KINDS[int(kind)] for kind in batch.kind} >= {"duplicate", "future"}
    stream, found, start = Checks(), [], 0
    while start < len(whole.at_us):
        end = start + sizes[len(found) % len(sizes)]
        part = slice(start, end)
        flags = stream.step(
            Readings(
                whole.meter_id[part], whole.scope[part], whole.at_us[part], whole.value_m3[part],
                whole.received_us[part],
            )
        )  # fmt: skip
        found.append([(row + start, *rest) for row, *rest in told(flags)])
        if saved:
            stream = Checks(state=State.from_bytes(stream.state.to_bytes()))
        start = end
    assert [flag for part_ in found for flag in part_] == told(batch)


@given(capacity=st.sampled_from([1e3, 1e4, 1e5]), before=st.floats(0.001, 0.5), after=st.floats(0.001, 0.5))
def test_any_roll_over_counts_what_went_through(capacity: float, before: float, after: float) -> None:
    flags = run((0, capacity - before), (1, after), (2, after + 0.01))
    assert flags == [(1, "roll_over", True), (2, "roll_over", False)]


@given(start=st.floats(6, 9e4), used=st.floats(0, 2), factor=st.sampled_from([1_000.0, 0.001]))
def test_units_a_thousand_times_off_are_known_as_such(start: float, used: float, factor: float) -> None:
    wrong = round((start + used) * factor, 3)
    flags = run((0, start), (1, start), (2, wrong), (3, start + used))
    assert flags == [(2, "unit_error", True), (3, "unit_error", False)]


def test_saved_state_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="no saved state"):
        State.from_bytes(b"PK\x03\x04 no archive")
