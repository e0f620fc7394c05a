"""The duty officer's page in a real browser with the network cut off: scenes, the sign-in, a real alert."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from apps.streamlit import duty_judge, signin
from apps.streamlit.serve import command
from bench.lib.processes import free_port
from bench.lib.reflexes import Chain
from city.settings import ROOT
from ingest.broker.mosquitto import find_mosquitto
from tests.browser.browse import MISSING, Browser
from tests.browser.duty_stage import Stage, stage
from tests.browser.serving import PROBES, SCREENS, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
]
SAYS = {("silent", "ru"): "Кому звонить", ("drill", "en"): "DRILL"}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("duty")) as found:
        yield found


def sound(browser: Browser, provider: str = "-") -> None:
    """Nothing was asked of anybody outside, and the console complained of nothing."""
    browser.note()
    assert browser.requests
    assert [url for url in browser.strangers() if not url.startswith(provider)] == []
    assert [said for said in browser.complaints if not any(probe in said for probe in PROBES)] == []


@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_stands_alone(staged: Stage, width: int) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    staged.play.since -= timedelta(seconds=30)
    with Browser(staged.address, width=width) as browser:
        for (scene, language), said in SAYS.items():
            staged.play.show(scene)
            staged.play.since -= timedelta(seconds=30)
            browser.open("duty", language, timeout_s=90)
            browser.wait_for_text(said, 30)
            assert browser.driver.find_elements(By.CSS_SELECTOR, '[data-testid="stDeckGlJsonChart"] canvas')
            wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{scene} is {wide} px wide on a screen of {width}"
            browser.picture(SCREENS / f"duty-{scene}-{language}-{width}-light.png")
        sound(browser)


def test_answers_count_up_by_themselves_and_a_wall_has_no_controls(staged: Stage) -> None:
    """Nobody presses anything: the page asks each second."""
    staged.play.show("calm")
    with Browser(staged.address) as browser:
        browser.driver.get(f"{staged.address}/duty?lang=ru&wall=1")
        browser.wait_for_text("Спокойно", 90)
        staged.play.pace_s = 0.6
        staged.play.show("live")
        seen = set()
        ends = time.monotonic() + 15
        while len(seen) < 3 and time.monotonic() < ends:
            seen |= set(_texts(browser, ".d-figure.d-good b")[:1])
            time.sleep(0.2)
        staged.play.pace_s = 0.05
        assert len(seen) >= 3, f"the count stood still: {seen}"
        assert not browser.driver.find_elements(By.CSS_SELECTOR, ".stButton")
        sound(browser)


def test_a_person_signs_in_and_has_the_buttons_of_the_role(staged: Stage) -> None:
    """The whole OpenID Connect flow in Chromium, without a request off this machine."""
    staged.play.show("waiting")
    staged.play.pressed.clear()
    with Browser(staged.address) as browser:
        browser.open("duty", "ru", timeout_s=90)
        assert "Вы смотрите без входа" in browser.text()
        assert "Остановить" not in browser.text()
        _sign_in(browser, "duty2")
        browser.driver.get(f"{staged.address}/duty?lang=ru")
        browser.wait_for_text("Борис Сменный, роль: дежурный", 30)
        browser.driver.find_element(By.CSS_SELECTOR, ".st-key-confirm_run-1 button").click()
        browser.wait_for_text("Подтверждено. Ваше имя записано в журнал.", 30)
        assert staged.play.pressed[0]["by"] == "Борис Сменный <duty2@gorodok.example>"
        assert staged.play.pressed[0]["role"] == "duty"
        sound(browser, staged.provider)


def _sign_in(browser: Browser, sub: str) -> None:
    browser.driver.find_element(By.XPATH, "//button[contains(., 'Войти')]").click()
    browser._wait(lambda: browser.driver.find_elements(By.CSS_SELECTOR, f"button[value={sub}]"), 30)
    browser.driver.find_element(By.CSS_SELECTOR, f"button[value={sub}]").click()
    browser._wait(lambda: "/oauth2/" not in browser.driver.current_url, 30)


@pytest.mark.broker
def test_a_real_alert_is_counted_and_the_silent_are_named(tmp_path: Path) -> None:
    """A real broker, reflex process and 60 doors of which some are deaf or jammed; the page over all of it."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    with Chain(tmp_path / "chain", {"za": 60, "zb": 20}) as town:
        town.start_broker()
        town.start_reflex()
        fleet = town.start_fleet("--seed", "3", "--deaf", "0.05", "--jammed", "0.05")
        chosen = town.settings.model_copy(update={"streamlit_port": free_port()})
        signin.prepare(chosen)
        variables = town.variables(GORODOK_STREAMLIT_PORT=str(chosen.streamlit_port))
        with (tmp_path / "streamlit.log").open("wb") as log:
            pages = subprocess.Popen(command(chosen), cwd=ROOT, env=variables, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{chosen.streamlit_port}"
            wait_for(f"{address}/_stcore/health")
            with Browser(address) as browser:
                browser.open("duty", "ru", timeout_s=90)
                browser.wait_for_text("Спокойно", 60)
                with town.client() as client:
                    began = time.monotonic()
                    assert client.send_cap("cap", town.signed("za"))["result"] == "accepted"
                browser.wait_for_text("ТРЕВОГА", 30)
                counted_s = time.monotonic() - began
                browser.wait_for_text("молчит", 30)
                silent_s = time.monotonic() - began
                mine = [each for each in fleet.truth() if each["zone_id"] == "za"]
                bad = [each for each in mine if each["deaf"] or each["jammed"]]
                assert bad, "the seed must give faults"
                done = str(len(mine) - len(bad))
                browser._wait(lambda: _texts(browser, ".d-figure.d-good b")[:1] == [done], 30)
                browser._wait(lambda: len(_texts(browser, ".d-call")) == len(bad), 30)
                links = browser.driver.execute_script(LINKS)
                assert len(links) == len(bad)
                assert all(link.startswith("tel:+7") for link in links)
                print(f"alarm on screen after {counted_s:.1f} s, silent named after {silent_s:.1f} s", file=sys.stderr)
                # from the moment that the page drew the alarm: how long that takes is the machine's affair
                assert silent_s - counted_s < duty_judge.ANSWER_S + 5
                browser.picture(SCREENS / "duty-real-ru-1440-light.png")
                sound(browser)
        finally:
            pages.terminate()
            pages.wait(20)


# one question to the browser: the page is drawn anew each second, and an element found is soon a stale one
TEXTS = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText)"
LINKS = "return [...document.querySelectorAll('.d-call a')].map(one => one.getAttribute('href'))"


def _texts(browser: Browser, selector: str) -> list[str]:
    return list(browser.driver.execute_script(TEXTS, selector))
