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


