"""A notifier on a folder of its own, and the local servers that it speaks to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actuation.people.notices import Notices
from actuation.people.notifier import Notifier
from actuation.scenario.effect import Cause, NotifyPeople
from city.settings import Settings
from ingest.contracts.notice_delivery import NoticeDelivery
from tests.people.telegram import TOKEN, Telegram

SECRETS = {"TELEGRAM_TOKEN": TOKEN, "DUTY_CHAT": "-1001234567890", "OTHER_CHAT": "-1009876543210"}


def effect(number: int = 1, **more: Any) -> NotifyPeople:
    cause = Cause("missile", "1", "tell", f"run-{number}", "alert", f"alert-{number}")
    told: dict[str, Any] = {
        "effect_id": f"{number:032x}", "cause": cause, "mode": "live", "audience": "duty", "template": "take_shelter",
        "severity": "critical", "fields": {"headline_ru": "Ракетная опасность", "zones": ["dma-1", "dma-3"]},
    }  # fmt: skip
    return NotifyPeople(**{**told, **more})


def wait_for(what: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:g} s in vain")


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with Telegram() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def notices(telegram: Telegram, **audience: Any) -> Notices:
    return Notices.model_validate(
        {
            "audiences": {"duty": {"name_ru": "Дежурные", "name_en": "Duty", "channels": ["tg"], **audience}},
            "channels": {
                "tg": {"url": "tgram://${TELEGRAM_TOKEN}/{to}", "to": ["${DUTY_CHAT}"], "api": telegram.address}
            },
        }
    )


@pytest.fixture
def make(settings: Settings) -> Iterator[Callable[..., Notifier]]:
    """Started notifiers, closed at the end."""
    made: list[Notifier] = []

    def start(chosen: Notices, **more: Any) -> Notifier:
        made.append(Notifier(settings, chosen, environment={**SECRETS, **more.pop("environment", {})}, **more).start())
        return made[-1]

    yield start
    for one in made:
        one.close()


def results(notifier: Notifier) -> list[str]:
    return [row.result for _, row in notifier.deliveries()]


def rows(notifier: Notifier, count: int) -> list[NoticeDelivery]:
    """The first rows, when there are so many."""
    wait_for(lambda: len(notifier.deliveries()) >= count)
    return [row for _, row in notifier.deliveries()]
