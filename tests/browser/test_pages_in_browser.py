"""Every page in a real browser with the network cut off: drawn, complaining of nothing, asking nobody outside."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

from tests.browser.browse import MISSING, PAGES, Browser
from tests.browser.serving import PROBES, SCREENS, pages
from tests.pages import sample

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
]
SAYS = {
    "ru": {"home": "Что не так сейчас", "twin": "Слои", "water": "Ночной расход", "cleaning": "Площадки на карте",
           "crossing": "По часам суток", "kpi": "Как считается", "data": "Загрузки"},
    "en": {"home": "What is wrong now", "twin": "Layers", "water": "Night flow", "cleaning": "Sites on the map",
           "crossing": "By hour of the day", "kpi": "How it is computed", "data": "Loads"},
}  # fmt: skip
MAPS = ("home", "twin", "cleaning")
CHARTS = ("water", "cleaning", "crossing", "kpi")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pages(tmp_path_factory.mktemp("browsed"), sample.fill) as found:
        yield found


@pytest.mark.parametrize("width", [1440, 390])
def test_pages_stand_alone(address: str, width: int) -> None:
    """Both languages, light; pictures are kept under artefacts/screens."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    with Browser(address, width=width) as browser:
        for page in PAGES:
            for language in ("ru", "en"):
                browser.open(page, language, timeout_s=90)
                text = browser.text()
                assert SAYS[language][page] in text, f"{page}, {language}: {text[:500]}"
                assert "Traceback" not in text
                if page in MAPS:
                    assert browser.driver.find_elements(By.CSS_SELECTOR, '[data-testid="stDeckGlJsonChart"] canvas')
                if page in CHARTS:
                    assert browser.driver.find_elements(
                        By.CSS_SELECTOR, ".stVegaLiteChart canvas, .stVegaLiteChart svg"
                    )
                wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{page} is {wide} px wide on a screen of {width}"
                browser.picture(SCREENS / f"{page}-{language}-{width}-light.png")
        browser.note()
        assert browser.requests, "the browser's log of requests is empty: the test would prove nothing"
        assert browser.strangers() == []
        assert [said for said in browser.complaints if not any(probe in said for probe in PROBES)] == []


def test_the_check_sees_a_request_to_elsewhere(address: str) -> None:
    """The proof above can fail: a picture from outside is noticed."""
    with Browser(address) as browser:
        browser.driver.get(f"{address}/_stcore/health")
        browser.driver.execute_script("document.body.innerHTML = '<img src=\"https://tiles.example.org/1.png\">'")
        time.sleep(1)
        browser.note()
        assert browser.strangers() == ["https://tiles.example.org/1.png"]
        assert browser.complaints


def test_menu_keeps_the_language(address: str) -> None:
    """A walk by the menu, as a person does it: no page is loaded anew, the language stays."""
    with Browser(address) as browser:
        browser.open("home", "en", timeout_s=90)
        browser.driver.find_element(By.CSS_SELECTOR, '[data-testid="stTopNavLink"][href$="/water"]').click()
        browser.wait_for_text("Night flow", 60)
        assert "Потери" not in browser.text()
        browser.note()
        assert browser.complaints == []
