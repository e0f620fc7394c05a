"""Notices on their way: Telegram's answers, drills, shadows, restarts, digests, rates; nothing is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from actuation.people.notices import Notices
from actuation.people.notifier import Notifier
from city.settings import Settings
from tests.people.conftest import SECRETS, effect, notices, results, rows, wait_for
from tests.people.telegram import BLOCKED, BROKEN, FLOOD, NO_CHAT, TOKEN, Telegram, Webhook

Make = Callable[..., Notifier]


class Clock:
    """Our time of day, a step further whenever it is asked, and ahead as the test wants."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self._asked = 0

    def __call__(self) -> datetime:
        self._asked += 1
        return datetime(2026, 11, 25, 9, tzinfo=UTC) + timedelta(milliseconds=self._asked) + self.ahead


def test_a_message_as_telegram_takes_it(make: Make, telegram: Telegram) -> None:
    notifier = make(notices(telegram, languages=["ru", "en"]))
    notifier.submit(effect(fields={"headline_ru": "<b>Ракетная</b> & {zones}", "zones": ["dma-1"]}))
    wait_for(lambda: telegram.got)
    text = telegram.got[0]["text"]
    assert telegram.got[0]["chat_id"] == int(SECRETS["DUTY_CHAT"])
    assert "&lt;b&gt;Ракетная&lt;/b&gt; &amp; {zones}" in text, "a headline is data: no markup, no placeholder"
    assert text.index("Районы: Заречный") < text.index("take shelter") < text.index("Areas: Zarechny")
    row = rows(notifier, 1)[0]
    assert (row.result, row.attempt, row.channel, row.together) == ("sent", 1, "tg", 1)
    assert SECRETS["DUTY_CHAT"] not in row.recipient


def test_a_flood_is_waited_out_for_as_long_as_telegram_says(make: Make, telegram: Telegram) -> None:
    telegram.answers, telegram.retry_after = [FLOOD], 3
    notifier = make(notices(telegram))
    notifier.submit(effect())
    wait_for(lambda: telegram.got)
    assert telegram.times[1] - telegram.times[0] >= 3
    first, second = rows(notifier, 2)
    assert (first.result, first.code, first.answer) == ("retry", 429, "Too Many Requests: retry after 3")
    assert (second.result, second.attempt) == ("sent", 2)


@pytest.mark.parametrize(("answer", "said"), [(NO_CHAT, "chat not found"), (BLOCKED, "bot was blocked")])
def test_what_telegram_will_never_take_is_asked_once(
    make: Make, telegram: Telegram, answer: tuple[int, str], said: str
) -> None:
    telegram.answers = [answer]
    notifier = make(notices(telegram))
    notifier.submit(effect())
    row = rows(notifier, 1)[0]
    assert (row.result, row.code) == ("refused", answer[0])
    assert row.answer is not None
    assert said in row.answer
    assert len(telegram.times) == 1


def test_a_server_in_trouble_is_asked_again(make: Make, telegram: Telegram) -> None:
    telegram.answers = [BROKEN]
    notifier = make(notices(telegram))
    notifier.submit(effect())
    wait_for(lambda: telegram.got)
    wait_for(lambda: results(notifier) == ["retry", "sent"])


def test_no_secret_reaches_a_row(make: Make, settings: Settings) -> None:
    """Connection errors of `requests` name the whole address, with the token in it."""
    chosen = Notices.model_validate(
        {
            "audiences": {"duty": {"name_ru": "Д", "name_en": "D", "channels": ["tg"]}},
            "channels": {"tg": {"url": "tgram://${TELEGRAM_TOKEN}/{to}", "to": ["${DUTY_CHAT}"], "api": "http://127.0.0.1:9"}},
        }
    )  # fmt: skip
    notifier = make(chosen)
    notifier.submit(effect())
    row = rows(notifier, 1)[0]
    assert row.result == "retry"
    assert row.answer
    assert TOKEN not in row.answer
    assert TOKEN.split(":")[1] not in row.answer


def test_a_drill_says_so_first_and_a_shadow_says_nothing(make: Make, telegram: Telegram) -> None:
    notifier = make(notices(telegram))
    notifier.submit(effect(1, mode="shadow"))
    notifier.submit(effect(2, mode="drill"))
    wait_for(lambda: telegram.got)
    wait_for(lambda: len(results(notifier)) == 2)
    assert sorted(results(notifier)) == ["sent", "shadow"]
    assert len(telegram.got) == 1
    assert telegram.got[0]["text"].removeprefix("<b>").startswith("УЧЕБНАЯ ТРЕВОГА / DRILL")


def test_the_same_effect_is_said_once(make: Make, telegram: Telegram) -> None:
    notifier = make(notices(telegram))
    for _ in range(3):
        notifier.submit(effect())
    notifier.submit(effect(2))
    wait_for(lambda: len(telegram.got) == 2)
    time.sleep(0.2)
    assert len(telegram.got) == 2


def test_what_waits_survives_the_process(settings: Settings, telegram: Telegram) -> None:
    """The server is away, the process dies without a goodbye; the next one says the notice."""
    telegram.answers = [BROKEN] * 2
    chosen = notices(telegram)
    first = Notifier(settings, chosen, environment=SECRETS).start()
    first.submit(effect())
    wait_for(lambda: results(first) == ["retry"])
    first._ends.set()  # its threads end; nothing is closed in good order
    first._thread.join()
    with Notifier(settings, chosen, environment=SECRETS) as second:
        wait_for(lambda: telegram.got, 15)
        wait_for(lambda: results(second)[-1] == "sent")
        second.submit(effect())  # the ledger is read again after a crash: nothing is said twice
        time.sleep(0.3)
    assert len(telegram.got) == 1


def test_submitting_waits_for_nobody(make: Make, telegram: Telegram) -> None:
    """A channel that hangs for three seconds: a thousand notices are taken in much less than one."""
    telegram.hang_s = 3
    notifier = make(notices(telegram))
    started = time.perf_counter()
    for number in range(1_000):
        notifier.submit(effect(number))
    assert time.perf_counter() - started < 0.5


def test_a_full_memory_goes_to_the_disk(
    settings: Settings, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actuation.people.notifier.QUEUED", 2)
    notifier = Notifier(settings, notices(telegram), environment=SECRETS)  # its thread does not run yet
    for number in range(5):
        notifier.submit(effect(number))
    with notifier:
        wait_for(lambda: len(telegram.got) == 5)


def test_one_silent_channel_does_not_hold_up_another(make: Make, telegram: Telegram) -> None:
    telegram.hang_s = 3
    with Webhook() as hook:
        chosen = notices(telegram).model_dump()
        chosen["channels"]["hook"] = {"url": f"json://127.0.0.1:{hook.address.rsplit(':', 1)[1]}/alerts"}
        chosen["audiences"]["duty"]["channels"] = ["tg", "hook"]
        notifier = make(Notices.model_validate(chosen))
        notifier.submit(effect())
        wait_for(lambda: hook.got, 2)
        assert hook.got[0]["title"] == "Ракетная опасность: укройтесь сейчас"
        assert not telegram.got


def test_notices_of_a_minute_come_as_one(make: Make, telegram: Telegram) -> None:
    clock = Clock()
    notifier = make(notices(telegram, digest_minutes=10), clock=clock)
    notifier.submit(effect(1, severity="minor"))
    wait_for(lambda: len(telegram.got) == 1)
    wait_for(lambda: results(notifier) == ["sent"])
    for number in range(2, 6):
        notifier.submit(effect(number, severity="minor", fields={"headline_ru": f"Площадка {number}"}))
    notifier.submit(effect(9, fields={"headline_ru": "Укройтесь"}))
    wait_for(lambda: len(telegram.got) == 2)
    assert "Укройтесь" in telegram.got[1]["text"], "a critical one does not wait for the others"
    clock.ahead += timedelta(minutes=11)
    wait_for(lambda: len(telegram.got) == 3)
    assert all(f"Площадка {number}" in telegram.got[2]["text"] for number in range(2, 6))
    assert "Оповещений: 4" in telegram.got[2]["text"]
    wait_for(lambda: [row.together for _, row in notifier.deliveries()] == [1, 1, 4, 4, 4, 4])


def test_a_channel_has_its_rate_and_critical_has_none(make: Make, telegram: Telegram) -> None:
    chosen = notices(telegram).model_dump()
    chosen["channels"]["tg"]["per_minute"] = 3
    clock = Clock()
    notifier = make(Notices.model_validate(chosen), clock=clock)
    for number in range(5):
        notifier.submit(effect(number, severity="major"))
    wait_for(lambda: len(telegram.got) == 3)
    notifier.submit(effect(9))
    wait_for(lambda: len(telegram.got) == 4)
    time.sleep(0.3)
    assert len(telegram.got) == 4
    clock.ahead += timedelta(seconds=61)
    wait_for(lambda: len(telegram.got) == 6)


def test_who_cannot_be_told_is_a_row_that_says_why(make: Make, telegram: Telegram) -> None:
    heard: list[Any] = []
    notifier = make(notices(telegram, channels=["tg"]), environment={"DUTY_CHAT": ""}, on_delivery=heard.append)
    notifier.submit(effect(1))
    notifier.submit(effect(2, audience="nobody_knows"))
    wait_for(lambda: len(notifier.deliveries()) == 2)
    said = {row.notice_id[-1]: (row.result, row.answer) for _, row in notifier.deliveries()}
    assert said["1"] == ("off", "DUTY_CHAT is not set: put it into the environment of the reflex process")
    assert said["2"] == ("off", "audience 'nobody_knows' is not in notices.toml: add it there")
    assert len(heard) == 2


class _Mailbox:
    """aiosmtpd's handler: refuses whoever is called nobody, takes the rest."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.append(envelope.content)
        return "250 OK"


def test_mail_by_smtp(make: Make) -> None:
    box = _Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mail = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=20)
    mail.start()
    try:
        chosen = Notices.model_validate(
            {
                "audiences": {"duty": {"name_ru": "Д", "name_en": "D", "channels": ["mail"]}},
                "channels": {"mail": {
                    "url": f"mailto://127.0.0.1:{port}?from=edds@gorodok.example&to={{to}}",
                    "to": ["duty@gorodok.example", "nobody@gorodok.example"],
                }},
            }
        )  # fmt: skip
        notifier = make(chosen)
        notifier.submit(effect(mode="drill"))
        came = rows(notifier, 2)
    finally:
        mail.stop()
    letter = message_from_bytes(box.got[0], policy=default)
    assert letter["To"] == "duty@gorodok.example"
    assert str(letter["Subject"]).startswith("УЧЕБНАЯ ТРЕВОГА / DRILL. Ракетная опасность")
    body = letter.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("УЧЕБНАЯ ТРЕВОГА / DRILL")
    refused = next(row for row in came if row.result == "refused")
    assert refused.code == 550
    assert refused.answer is not None
    assert "no such mailbox" in refused.answer
    assert "nobody@gorodok.example" not in refused.answer, "a row holds no address"
    assert {row.result for row in came} == {"sent", "refused"}
