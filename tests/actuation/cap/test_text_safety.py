"""Texts that would be taken for less than they are: a real alert for an exercise, a second alert for a repost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actuation.cap.text import DraftStore
from tests.actuation.cap.test_text import NOW, read


@pytest.mark.parametrize(
    "text",
    [
        "Ракетная опасность! Это не учебная тревога!",
        "Внимание! Это не учения! Ракетная опасность!",
        "Ракетная опасность! Не тренировка! Все в укрытия!",
        "Тревога не является учебной. Ракетная опасность!",
    ],
)
def test_what_says_that_it_is_no_exercise_is_real(text: str) -> None:
    assert [draft.alert["status"] for draft in read(text)] == ["Actual"]


@pytest.mark.parametrize(
    "text", ["Учебная тревога! Ракетная опасность!", "Ракетная опасность. Идут учения, тренировка"]
)
def test_an_exercise_is_one(text: str) -> None:
    assert {draft.alert["status"] for draft in read(text)} == {"Exercise"}


@pytest.mark.parametrize("trust", [{}, {"trust": "inform", "text_acts": False}])
def test_the_same_words_after_an_all_clear_are_another_alert(trust: dict[str, object]) -> None:
    """12:00:30 alert, 12:03 all-clear, 12:06 alert in the same words: all within the minutes of a repost."""
    store = DraftStore()
    said = ["Ракетная опасность!", "Ракетная опасность!", "Отбой ракетной опасности", "Ракетная опасность!"]
    new = []
    for minutes, text in zip((0, 1, 3, 6), said, strict=True):
        now = NOW + timedelta(minutes=minutes)
        for draft in read(text, now, store.known("channel", now), **trust):
            new.append((text[:5].lower(), store.put(draft)))
    assert new == [("ракет", True), ("ракет", False), ("отбой", True), ("ракет", True)]


def test_a_flood_of_drafts_does_not_keep_the_newest_out() -> None:
    store = DraftStore()
    for number in range(250):
        (draft,) = read(f"Ракетная опасность! {number}", trust="inform", text_acts=False)
        assert store.put(draft)
    waiting = store.waiting(NOW)
    assert len(waiting) == 200
    assert any(draft.text.endswith("249") for draft in waiting)
