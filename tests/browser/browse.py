"""A headless Chromium that can reach this machine only, and tells what it asked for and complained about."""

from __future__ import annotations

import base64
import json
import shutil
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PAGES = ("home", "twin", "water", "cleaning", "crossing", "kpi", "data")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = None if CHROMIUM and DRIVER else "chromium and chromedriver are not installed (Debian: chromium-driver)"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--lang=ru-RU",
)


class Browser:
    """One browser window; `requests` and `complaints` speak of all pages since it was opened."""

    def __init__(self, address: str, width: int = 1440, mode: str = "light") -> None:
        self.address = address.rstrip("/")
        self.width = width
        self.mode = mode
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self._height(900)
        self._tell("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": mode}]})
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def _tell(self, command: str, arguments: dict[str, Any]) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def _height(self, height: int) -> None:
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            {"width": self.width, "height": height, "deviceScaleFactor": 1, "mobile": self.width < 600},
        )

    def open(self, page: str, language: str, timeout_s: float = 30) -> float:
        """Opens a page and waits until it stands; seconds from the request to the verdict on the screen."""
        path = "" if page == "home" else page
        started = time.monotonic()
        self.driver.get(f"{self.address}/{path}?lang={language}")
        self._wait(lambda: self.driver.find_elements(By.CSS_SELECTOR, ".g-verdict, .g-notice"), timeout_s)
        seconds = time.monotonic() - started
        self.settle(timeout_s)
        self.note()
        return seconds

    def settle(self, timeout_s: float = 30) -> None:
        """Waits until Streamlit is done, and the charts and the maps are drawn."""
        self._wait(lambda: self.driver.execute_script(STILL), timeout_s)
        time.sleep(0.6)
        if self.driver.find_elements(By.CSS_SELECTOR, '[data-testid="stDeckGlJsonChart"]'):
            self._wait(
                lambda: self.driver.find_elements(By.CSS_SELECTOR, "#view-default-view, canvas#deckgl-overlay"),
                timeout_s,
            )
            time.sleep(1.5)

    def _wait(self, ready: Any, timeout_s: float) -> None:
        ends = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > ends:
                raise TimeoutError(f"the page did not stand within {timeout_s} s: {self.text()[:500]}")
            time.sleep(0.05)

    def wait_for_text(self, text: str, timeout_s: float = 30) -> None:
        self._wait(lambda: text in self.text(), timeout_s)

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def note(self) -> None:
        """Collects what the browser asked for and complained about since the last call."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self.requests.append(message["params"]["url"])
        self.complaints += [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def strangers(self) -> list[str]:
        """Requests to anywhere but the server under test."""
        own = urlsplit(self.address).netloc
        kept = ("data", "blob", "about", "chrome", "devtools", "chrome-extension")
        return [url for url in self.requests if urlsplit(url).scheme not in kept and urlsplit(url).netloc != own]

    def picture(self, path: Path) -> None:
        """The whole page, not only what fits the window."""
        height = self.driver.execute_script(HEIGHT)
        self._height(min(int(height) + 20, 6_000))
        self.settle()
        shot = self._tell("Page.captureScreenshot", {"format": "png"})
        path.write_bytes(base64.b64decode(shot["data"]))
        self._height(900)


STILL = """
const app = document.querySelector('[data-testid="stApp"]');
return app && app.getAttribute('data-test-script-state') === 'notRunning'
  && !document.querySelector('[data-testid="stSkeleton"]');
"""
HEIGHT = """
const block = document.querySelector('.stMainBlockContainer');
return block ? Math.ceil(block.getBoundingClientRect().bottom
  + document.querySelector('[data-testid="stMain"]').scrollTop) : 900;
"""
