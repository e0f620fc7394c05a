"""Every page, run as Streamlit runs it: with data and without, in both languages, on a real lake and state."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from apps.streamlit import data
from apps.streamlit.serve import MAIN
from city.settings import Settings
from tests.pages import sample
from tests.pages.using import use

PAGES = ("home", "twin", "water", "cleaning", "crossing", "kpi", "data")
HEADINGS = {
    "ru": (
        "Город сегодня",
        "Цифровой двойник",
        "Потери воды",
        "Уборка и площадки",
        "Умные переходы",
        "Показатели",
        "Данные",
    ),
    "en": (
        "The city today",
        "Digital twin",
        "Water loss",
        "Cleaning and waste sites",
        "Smart crossings",
        "Key figures",
        "Data",
    ),
}
TITLES = {language: dict(zip(PAGES, names, strict=True)) for language, names in HEADINGS.items()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    chosen = Settings(home=tmp_path_factory.mktemp("filled"), gateway_port=1)
    sample.fill(chosen)
    return chosen


def run(page: str, language: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.session_state["chosen_language"] = language
    app.run()
    if page != "home":
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in app.get("html"))


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("page", PAGES)
def test_page_with_data(page: str, language: str, filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    said = html(run(page, language))
    assert TITLES[language][page] in said
    assert 'class="g-verdict' in said
    bug = "не удалось" if language == "ru" else "could not be shown"
    assert bug not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("page", PAGES)
def test_page_without_anything_says_what_to_do(
    page: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Settings(home=tmp_path, gateway_port=1))
    said = html(run(page, language))
    assert TITLES[language][page] in said
    assert "<code>gorodok " in said
    assert "не удалось" not in said
    assert "could not be shown" not in said
    assert not (tmp_path / "catalog").exists(), "looking must not make a lake"


def test_a_fault_is_told_in_words(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    monkeypatch.setattr(data, "_query", lambda *_: (_ for _ in ()).throw(RuntimeError("IO Error: secret /path")))
    said = html(run("water", "ru"))
    assert "Хранилище не отвечает" in said
    assert "gorodok doctor" in said
    assert "secret" not in said


def test_home_names_what_is_wrong_first(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    said = html(run("home", "ru"))
    assert "2 открытых инцидента" in said
    assert said.index("Сирена № 1 не ответила") < said.index("Показатели дня")
    assert "Шлюз не отвечает" in said


def test_water_names_the_zone_that_leaks(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    said = html(run("water", "ru"))
    assert "Посмотрите на зону Центральный" in said
    assert "Вероятна утечка" in said


def test_water_without_findings_says_so_and_needs_no_newer_marts(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, filled)
    app = run("water", "ru")
    says = {"leaks": "Сейчас утечек не видно", "orders": "Нарядов пока нет", "survey": "Подозрений нет"}
    for section, text in says.items():
        app.button_group(key="water_section").set_value(section).run()
        assert not app.exception
        assert text in html(app)


def test_water_period_and_zone_can_be_chosen(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    app = run("water", "ru")
    before = html(app)
    app.button_group(key="water_zone").set_value("dma-1").run()
    assert not app.exception
    assert html(app) != before


def test_kpi_goes_down_to_the_landed_segment(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    said = html(run("kpi", "ru"))
    assert "Транспорт на линии" in said
    assert "vehicle_position/" in said
    assert ".parquet" in said


def test_personal_fields_reach_no_page(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    for page in ("twin", "kpi"):
        assert "А123ВС76" not in html(run(page, "ru"))


def test_language_switch_stays(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, filled)
    app = run("home", "ru")
    app.button_group(key="language_switch").set_value("en").run()
    assert "The city today" in html(app)
    app.switch_page("views/water.py").run()
    assert "Water loss" in html(app)
