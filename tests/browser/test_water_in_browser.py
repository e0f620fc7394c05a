"""The water-loss page in a real browser: every section fits, the button leads to the work, nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from selenium.webdriver.common.by import By

from city.settings import Settings
from tests.browser.browse import MISSING, Browser
from tests.browser.serving import PROBES, SCREENS, pages
from tests.pages import sample, water_sample

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
]
SECTIONS = ("balance", "leaks", "orders", "survey", "trial", "meeting")
BUTTONS = ".st-key-water_section button"


def fill(chosen: Settings) -> None:
    now = datetime.now(UTC)
    sample.fill(chosen)
    water_sample.fill(chosen, now)
    water_sample.tell(chosen, water_sample.running(now))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pages(tmp_path_factory.mktemp("water"), fill) as found:
        yield found


@pytest.mark.parametrize(
    ("width", "language", "walked"), [(1440, "en", ("balance", "leaks", "trial")), (390, "ru", SECTIONS)]
)
def test_sections_fit_and_stand_alone(address: str, width: int, language: str, walked: tuple[str, ...]) -> None:
    """Pictures are kept under artefacts/screens."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    with Browser(address, width=width) as browser:
        browser.open("water", language, timeout_s=90)
        for section in walked:
            number = SECTIONS.index(section)
            button = browser.driver.find_elements(By.CSS_SELECTOR, BUTTONS)[number]
            browser.driver.execute_script("arguments[0].click()", button)
            browser._wait(lambda number=number: _is_chosen(browser, number), 60)
            browser.settle(90)
            text = browser.text()
            assert "Traceback" not in text
            assert "could not be shown" not in text
            assert "показать не удалось" not in text
            wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{section} is {wide} px wide on a screen of {width}"
            browser.picture(SCREENS / f"water-{section}-{language}-{width}-light.png")
        browser.driver.find_element(By.CSS_SELECTOR, ".st-key-water_go button").click()
        browser.wait_for_text("труба p070" if language == "ru" else "pipe p070")
        browser._wait(lambda: _is_chosen(browser, 1), 60)
        browser.note()
        assert browser.strangers() == []
        assert [said for said in browser.complaints if not any(probe in said for probe in PROBES)] == []


def _is_chosen(browser: Browser, number: int) -> bool:
    buttons = browser.driver.find_elements(By.CSS_SELECTOR, BUTTONS)
    return len(buttons) > number and buttons[number].get_attribute("aria-checked") == "true"
