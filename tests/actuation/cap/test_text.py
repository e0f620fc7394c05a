"""Texts to drafts, with the demo city's rules: what regions write becomes a draft, what only speaks of it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from actuation.cap import CapSource, ZoneIndex
from actuation.cap.text import Draft, DraftStore, TextRulesError, load_text_rules, read_text
from city.profile import load_city
from city.settings import Settings
from ingest.contracts.alert import Alert

NOW = datetime(2026, 3, 1, 9, 0, 30, tzinfo=UTC)
RULES = load_text_rules(Settings())
ZONES = ZoneIndex.of(load_city(Settings()))
assert RULES is not None


def source(**more: Any) -> CapSource:
    told = {"code": "channel", "title_ru": "К", "title_en": "C", "trust": "trusted", "senders": ("gov@x",)}
    return CapSource(**told | {"text_acts": True} | more)


def read(text: str, now: datetime = NOW, known: dict[str, str] | None = None, **more: Any) -> list[Draft]:
    assert RULES is not None
    return read_text(text, source(**more), RULES, ZONES, now, known)


BEGINS = [
    ("Ракетная опасность!", "missile"),
    ("⚠️ Внимание! Ракетная опасность! Спуститесь в укрытие!", "missile"),
    ("‼️РАКЕТНАЯ ОПАСНОСТЬ‼️\nВсем в укрытия", "missile"),
    ("В Ярославской области объявлена ракетная опасность", "missile"),
    ("На территории области объявлен сигнал «Ракетная опасность». Оставайтесь дома.", "missile"),
    ("Городок: воздушная тревога!", "missile"),
    ("Авиационная опасность на всей территории области.", "missile"),
    ("🚨 Опасность атаки БПЛА", "uav"),
    ("Внимание! Угроза атаки БПЛА! Городок, уйдите в укрытия.", "uav"),
    ("Объявлена беспилотная опасность на территории региона", "uav"),
    ("Введён режим «Беспилотная опасность»", "uav"),
    ("Опасность атаки беспилотников!\nНе подходите к окнам.", "uav"),
    ("Опасность нападения БПЛА", "uav"),
    ("Ра\u200bкетная опасность", "missile"),
]
ENDS = [
    ("Отбой ракетной опасности!", "missile"),
    ("✅ Отбой ракетной опасности на территории Ярославской области", "missile"),
    ("Отбой воздушной тревоги", "missile"),
    ("Ракетная опасность отменена", "missile"),
    ("Сигнал «Ракетная опасность» отменён.", "missile"),
    ("Отбой опасности атаки БПЛА", "uav"),
    ("🟢 Отбой беспилотной опасности", "uav"),
    ("Отбой угрозы атаки беспилотников в Городке", "uav"),
    ("Режим «Беспилотная опасность» снят", "uav"),
]
NONE = [
    "Вчера в области была объявлена ракетная опасность, она длилась час.",
    "За ночь ракетная опасность объявлялась трижды",
    "Ракетная опасность?",
    "Это правда, что у нас ракетная опасность?",
    "Что делать, если объявлена ракетная опасность: памятка",
    "При объявлении сигнала «Ракетная опасность» пройдите в укрытие",
    "Напоминаем: сигнал «Опасность атаки БПЛА» передаётся сиреной",
    "Сообщения о ракетной опасности — фейк, не верьте слухам",
    "Ракетная опасность не объявлена",
    "Ракетной опасности нет, работаем в обычном режиме",
    "Депутаты обсудили законопроект о ракетной опасности",
    "Силами ПВО отражена атака БПЛА, над областью сбито 12 беспилотников",
    "Губернатор рассказал об угрозе атаки БПЛА на предприятия",
    "В прошлом году воздушная тревога звучала 40 раз",
    "Возможно введение режима «Беспилотная опасность» в аэропортах",
    "Сегодня в Городке ярмарка мёда",
    "Осторожно: гололёд",
    "",
    "Ракетная опасность! " + "Подробности в статье. " * 60,
]


@pytest.mark.parametrize(("text", "rule"), BEGINS)
def test_an_alert_as_regions_write_it(text: str, rule: str) -> None:
    [draft] = read(text)
    assert (draft.rule, draft.alert["msgType"], draft.alert["status"]) == (rule, "Alert", "Actual")
    alert = Alert.model_validate_json(json.dumps(draft.alert))
    assert [info.language for info in alert.info] == ["ru-RU", "en-US"]
    assert alert.info[0].responseType == ["Shelter"]
    assert draft.zones == ("dma-1", "dma-2", "dma-3")
    assert draft.acts, draft.doubts


@pytest.mark.parametrize(("text", "rule"), ENDS)
def test_an_all_clear(text: str, rule: str) -> None:
    key = "gov@x,text-1,2026-03-01T08:30:00Z"
    [draft] = read(text, known={rule: key})
    assert (draft.rule, draft.alert["msgType"], draft.alert["references"]) == (rule, "Cancel", key)
    assert draft.alert["info"][0]["responseType"] == ["AllClear"]
    assert draft.acts
    [unknown] = read(text)
    assert not unknown.acts, "an all-clear of no known alert waits for a person"


@pytest.mark.parametrize("text", NONE)
def test_look_alikes_do_not_trigger(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Внимание, учебная тревога! Ракетная опасность!",
        "Ракетная опасность. Это тренировка, просьба сохранять спокойствие",
        "Проверка системы оповещения: сигнал «Опасность атаки БПЛА»",
        "Проводятся учения. Воздушная тревога!",
    ],
)
def test_a_drill_is_an_exercise(text: str) -> None:
    [draft] = read(text)
    assert draft.alert["status"] == "Exercise"


def test_one_text_that_ends_one_alert_and_keeps_another() -> None:
    found = read("Отбой ракетной опасности. Сохраняется опасность атаки БПЛА!", known={"missile": "k,1,2026"})
    assert [(draft.rule, draft.alert["msgType"]) for draft in found] == [("missile", "Cancel"), ("uav", "Alert")]


def test_places() -> None:
    assert read("Ракетная опасность в Заречном")[0].zones == ("dma-1",)
    assert read("Заречный, Восточный: ракетная опасность!")[0].zones == ("dma-1", "dma-3")
    [other] = read("Ракетная опасность в Рыбинском районе")
    assert not other.acts, "another place: a person decides"
    assert "другое место" in other.doubts[0]


def test_who_may_act_by_text() -> None:
    assert not read("Ракетная опасность!", text_acts=False)[0].acts
    assert not read("Ракетная опасность!", trust="inform", text_acts=False)[0].acts
    assert read("Ракетная опасность!", channels=("webhook",)) == [], "a source that sends no texts"
    draft = read("Ракетная опасность!", text_acts=False)[0]
    with pytest.raises(ValueError, match="duty officer"):
        draft.event(None)
    event = draft.event("Иванова")
    assert (event.kind, event.key, event.trust, event.by) == ("alert", draft.key, "trusted", "Иванова")


def test_a_repost_is_the_same_draft_and_a_later_alarm_another() -> None:
    first, repost = read("Ракетная опасность!")[0], read("РАКЕТНАЯ  ОПАСНОСТЬ", NOW + timedelta(minutes=3))[0]
    later = read("Ракетная опасность!", NOW + timedelta(hours=2))[0]
    assert first.draft_id == repost.draft_id != later.draft_id


def test_drafts_wait_are_decided_once_and_lapse(tmp_path: Path) -> None:
    store = DraftStore(tmp_path / "drafts.sqlite")
    [draft] = read("Ракетная опасность!", text_acts=False)
    assert store.put(draft)
    assert not store.put(draft)
    store.close()
    store = DraftStore(tmp_path / "drafts.sqlite")
    assert store.waiting(NOW) == [draft]
    assert store.decide(draft.draft_id, True, "Иванова", NOW) == draft
    assert store.decide(draft.draft_id, False, "Петров", NOW) is None
    assert store.known("channel", NOW) == {"missile": draft.key}
    [over] = read("Отбой ракетной опасности", NOW + timedelta(minutes=20), store.known("channel", NOW), text_acts=False)
    store.put(over)
    assert store.decide(over.draft_id, True, "Иванова", NOW + timedelta(minutes=21)) is not None
    assert "missile" not in store.known("channel", NOW)
    [old] = read("Опасность атаки БПЛА", text_acts=False)
    store.put(old)
    assert store.decide(old.draft_id, True, "Иванова", NOW + timedelta(hours=2)) is None, "too old to act on"


def test_a_flood_of_texts_is_bounded() -> None:
    store = DraftStore()
    for number in range(300):
        [draft] = read(f"Ракетная опасность! {number}", text_acts=False)
        store.put(draft)
    assert len(store.waiting(NOW)) == 200


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_any_text_gives_valid_drafts_or_none(text: str) -> None:
    for draft in read(text + " ракетная опасность"):
        Alert.model_validate_json(json.dumps(draft.alert))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rules": [{"code": "x"}]}, "rules.0"),
        ({"not_alerts": ["(("]}, "no regular expression"),
        ({"not_alerts": ["Вчера"]}, "lower case"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_rule_file_says_where(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    (tmp_path / "town").mkdir()
    path = tmp_path / "town" / "alert_rules.yaml"
    path.write_text(yaml.safe_dump(change, allow_unicode=True))
    with pytest.raises(TextRulesError, match=r"alert_rules\.yaml") as error:
        load_text_rules(Settings(cities_dir=tmp_path, city="town"))
    assert told in str(error.value)
