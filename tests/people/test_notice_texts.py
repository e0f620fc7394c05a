"""Texts and the city's file: every template that a scenario names is there, in two languages, and says what it must."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from actuation.people import policy, template
from actuation.people.channel import understand
from actuation.people.notices import Audience, Notices, SecretMissing, load_notices, resolve
from city.problem import CityError

ROOT = Path(__file__).resolve().parents[2]
CITY = ROOT / "cities" / "gorodok"
MOSCOW = ZoneInfo("Europe/Moscow")
ENGINE_SAYS = {"confirm", "not_confirmed", "unverified_alert"}
FIELDS = {
    "scenario": "missile_alert", "zones": ["dma-1"], "started_at": "2026-11-25T09:00:00+00:00",
    "ends_at": "2026-11-25T12:00:00+00:00", "headline_ru": "Опасность", "headline_en": "Danger", "by": "Анна",
    "within_s": 120.0, "feed": "meter_reading", "silent_s": 900.0, "title": "Порыв", "subject": "dma-1", "detail": "—",
    "device_ru": "Светильник", "device_en": "Lamp", "reason": "fault", "state": "off",
}  # fmt: skip


def steps() -> list[tuple[str, dict[str, object]]]:
    found = []
    for path in sorted((CITY / "scenarios").glob("*.yaml")):
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [(path.stem, one) for one in [*told.get("steps", []), *told.get("at_end", [])]]
    return [(name, one) for name, one in found if one.get("do") == "notify"]


def test_every_scenario_has_its_texts_and_its_audience() -> None:
    asked = steps()
    assert len(asked) > 10
    audiences = load_notices(CITY).audiences
    assert not [(name, one["template"]) for name, one in asked if one["template"] not in template.names()]
    assert not [(name, one["audience"]) for name, one in asked if one["audience"] not in audiences]


def test_what_the_engine_says_by_itself_has_texts() -> None:
    """Names in the engine's code, not in a scenario."""
    code = (ROOT / "actuation" / "scenario" / "program.py").read_text(encoding="utf-8")
    said = set(re.findall(r'DUTY, "([a-z_]+)"', code))
    assert said == ENGINE_SAYS, "a new text of the engine's own: add its template, and its name here"
    assert set(template.names()) >= ENGINE_SAYS


@pytest.mark.parametrize("name", template.names())
def test_a_template_speaks_both_languages(name: str) -> None:
    called = {"dma-1": ("Заречный", "Zarechny")}
    ru = template.render(name, FIELDS, ["ru"], False, MOSCOW, called)
    en = template.render(name, FIELDS, ["en"], False, MOSCOW, called)
    assert re.search("[а-яё]", ru.title + ru.body)
    assert not re.search("[а-яё]", (en.title + en.body).replace("Анна", "").replace("Порыв", ""))
    for text in (ru.title, ru.body, en.title, en.body):
        assert not re.search(r"[{}]|\d{4}-\d\d-\d\dT|dma-1", text), text


def test_nothing_known_still_says_something() -> None:
    for name in [*template.names(), "no_such_template"]:
        message = template.render(name, {}, ["ru", "en"], True, MOSCOW)
        assert message.title
        assert message.body
        assert message.head.startswith("УЧЕБНАЯ ТРЕВОГА / DRILL")
        assert message.text.startswith("УЧЕБНАЯ ТРЕВОГА / DRILL")


def test_times_are_the_citys_and_languages_their_own() -> None:
    message = template.render("take_shelter", FIELDS, ["ru", "en"], False, MOSCOW)
    assert "25.11 15:00" in message.body
    assert message.body.index("Опасность") < message.body.index("Danger")


def test_quiet_hours_hold_what_may_wait_and_nothing_else() -> None:
    audience = Audience(name_ru="А", name_en="A", quiet_from="22:00", quiet_until="07:00")
    night = datetime(2026, 11, 25, 23, 30, tzinfo=MOSCOW).astimezone(UTC)
    morning = datetime(2026, 11, 26, 7, tzinfo=MOSCOW)
    assert policy.due(night, "critical", audience, None, MOSCOW) == night
    assert policy.due(night, "major", audience, None, MOSCOW) == morning
    small = datetime(2026, 11, 26, 3, tzinfo=MOSCOW).astimezone(UTC)
    assert policy.due(small, "minor", audience, None, MOSCOW) == morning
    noon = datetime(2026, 11, 26, 12, tzinfo=MOSCOW).astimezone(UTC)
    assert policy.due(noon, "minor", audience, None, MOSCOW) == noon


def test_retries_grow_and_wait_for_as_long_as_asked() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    waits = [(policy.retry_at(now, attempt) - now).total_seconds() for attempt in range(1, 12)]
    assert 2 <= waits[0] <= 2.2
    assert all(later > sooner * 1.5 for sooner, later in pairwise(waits[:7]))
    assert waits[-1] <= 330
    assert (policy.retry_at(now, 1, 35) - now).total_seconds() == 35


def test_secrets_come_from_the_environment_only() -> None:
    assert resolve("tgram://${T}/{to}", {"T": "12:ab/c"}) == ("tgram://12%3Aab%2Fc/{to}", ("12:ab/c",))
    assert resolve("${WHOLE}", {"WHOLE": "jsons://a/b?c=d"})[0] == "jsons://a/b?c=d"
    with pytest.raises(SecretMissing, match="T is not set"):
        resolve("tgram://${T}/1", {})
    for url in ("tgram://123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawX/1", "mailto://me:secret@mail.example"):
        with pytest.raises(ValueError, match="a secret stands in the file"):
            Notices.model_validate({"channels": {"c": {"url": url}}})


def test_a_wrong_file_names_key_value_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "notices.toml").write_text(
        '[audiences.duty]\nname_ru = "Д"\nname_en = "D"\nchannels = ["fax"]\nquiet = 1\n', encoding="utf-8"
    )
    with pytest.raises(CityError, match=r"audiences.duty.quiet.*no such key"):
        load_notices(tmp_path)
    (tmp_path / "notices.toml").write_text(
        '[audiences.duty]\nname_ru = "Д"\nname_en = "D"\nchannels = ["fax"]\n', encoding="utf-8"
    )
    with pytest.raises(CityError, match=r"audiences.duty.channels = 'fax': not in \[channels\]"):
        load_notices(tmp_path)
    assert load_notices(tmp_path / "nowhere") == Notices()


def test_apprises_own_words_become_an_answer() -> None:
    flood = [
        "Failed to send Telegram notification to 1: Too Many Requests, error=429.",
        'Response Details:\r\nb\'{"ok":false,"error_code":429,"description":"Slow","parameters":{"retry_after":7}}\'',
    ]
    answer = understand(False, flood)
    assert (answer.code, answer.final, answer.retry_after_s, answer.text) == (429, False, 7, "Slow")
    refused = understand(False, ["Socket Exception: {'***': (550, b'no such mailbox')}"])
    assert (refused.code, refused.final) == (550, True)
    assert not understand(False, ["Socket Exception: (421, b'try later')"]).final
    assert not understand(False, ["A connection error occurred"]).final
    assert understand(True, flood).sent
