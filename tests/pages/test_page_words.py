"""The words: both catalogues say the same things, numbers and plurals follow the language's rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from apps.streamlit.words import LANGUAGES, Words, catalogue
from ingest.contracts import CONTRACTS

RU, EN = Words("ru", ZoneInfo("Europe/Moscow")), Words("en", ZoneInfo("Europe/Moscow"))
PAGES = Path(__file__).resolve().parents[2] / "apps" / "streamlit"


def test_both_languages_have_the_same_keys() -> None:
    assert set(catalogue("ru")) == set(catalogue("en"))


@pytest.mark.parametrize("key", sorted(catalogue("ru")))
def test_both_languages_fill_in_the_same_values(key: str) -> None:
    def names(text: object) -> set[str]:
        forms = text.values() if isinstance(text, dict) else [text]
        return {name for form in forms for name in re.findall(r"\{(\w+)\}", str(form))}

    assert names(catalogue("ru")[key]) == names(catalogue("en")[key])


def test_russian_is_russian_and_english_is_english() -> None:
    assert not [key for key, text in catalogue("en").items() if re.search("[а-яё]", str(text))]
    latin_only = [
        key for key, text in catalogue("ru").items() if str(text) and not re.search("[а-яёА-Я₽%²³]", str(text))
    ]
    assert all(text_is_a_command(key) for key in latin_only), latin_only


def text_is_a_command(key: str) -> bool:
    return key.endswith("command") or not re.search("[A-Za-z]{2}", re.sub(r"\{\w+\}", "", str(catalogue("ru")[key])))


def test_every_key_that_a_page_asks_for_exists() -> None:
    asked = set()
    for path in PAGES.rglob("*.py"):
        asked |= set(re.findall(r"""(?:words|said)\(\s*"([a-z_0-9.]+)"[,)]""", path.read_text(encoding="utf-8")))
    assert len(asked) > 80
    assert asked <= set(catalogue("ru"))


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 день"), (2, "2 дня"), (5, "5 дней"), (11, "11 дней"), (21, "21 день"), (112, "112 дней")]
)
def test_russian_plurals(count: int, said: str) -> None:
    assert RU("age.days", count=count) == said


def test_numbers_follow_the_language() -> None:
    assert RU.number(12345.6) == "12\u202f346"
    assert RU.number(0.275) == "0,28"
    assert EN.number(12345.6) == "12,346"
    assert RU.number(-3.5) == "−3,5"
    assert RU.number(-0.0001, 1, sign=True) == "0"
    assert RU.number(None) == RU.number(float("nan")) == "—"
    assert RU.percent(0.1234) == "12,3\u202f%"
    assert RU.quantity(3.0, "m3") == "3\u202fм³"
    assert EN.size(12_345_678) == "12.3\u202fMB"


def test_times_are_the_citys() -> None:
    moment = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
    assert RU.stamp(moment) == "25.11.2026 00:30:00"
    assert RU.age(moment, moment + timedelta(minutes=3, seconds=40)) == "3 мин назад"
    assert RU.age(moment, moment - timedelta(seconds=5)) == "только что"
    assert RU.age(None) == "ещё не было"


@pytest.mark.parametrize("language", LANGUAGES)
def test_codes_of_the_contracts_have_words(language: str) -> None:
    """A code that a contract lists is never shown raw."""
    said = catalogue(language)  # type: ignore[arg-type]
    for feed, field, prefix in (
        ("incident", "severity", "severity"),
        ("incident", "kind", "incident"),
        ("scada_reading", "quantity", "quantity"),
        ("meter_reading", "medium", "medium"),
        ("ingest_outcome", "stage", "stage"),
    ):
        codes = CONTRACTS[feed].model_fields[field].annotation.__args__  # type: ignore[union-attr]
        assert {f"{prefix}.{code}" for code in codes} <= set(said)
