"""The inspector's form: its HTTP, what it refuses, and a phone that loses the network and finds it again."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import uvicorn
from starlette.testclient import TestClient

from apps.web.survey import app as survey_app
from apps.web.survey.app import build
from apps.web.survey.routes import Route, RouteBook, StopCard, as_page
from apps.web.survey.visits import read_visits
from city.settings import Settings
from ingest.publish import NotDeliveredError, PublishTotals
from tests.broker.conftest import RunningBroker, free_pair, mosquitto  # noqa: F401 - the fixture
from tests.browser.browse import MISSING, Browser

NOW = datetime.now(UTC)


def a_route(**changes: Any) -> Route:
    told: dict[str, Any] = {
        "inspector": "Петрова", "city": "gorodok", "made_at": NOW, "expires_at": NOW + timedelta(days=1),
        "stops": [StopCard(house_id=f"b-{n:03d}", zone_id="dma-1", address=f"Набережная улица, д. {n} </script><b>",
                           reasons_ru=["счётчик стоит"], reasons_en=["the meter stands"], expected_rub=900.0 - n,
                           metres=120.0) for n in (1, 2, 3)],
    }  # fmt: skip
    return Route(**{**told, **changes})


def visit(code: str = "v-1", **changes: Any) -> dict[str, Any]:
    return {"visit_id": code, "event_time": NOW.isoformat(), "house_id": "b-001", "result": "dead", **changes}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be published; a broker stands in the browser test."""
    found: list[str] = []
    monkeypatch.setattr(survey_app, "_publish", lambda _, visits: found.extend(one.visit_id for one in visits))
    return found


def opened(tmp_path: Path, route: Route | None = None) -> tuple[TestClient, str, Settings]:
    chosen = Settings(home=tmp_path)
    return TestClient(build(chosen)), RouteBook(chosen).add(route or a_route()), chosen


def test_token_is_on_no_disk_and_the_file_is_the_owners(tmp_path: Path) -> None:
    _, token, chosen = opened(tmp_path)
    [path] = (chosen.home / "survey").iterdir()
    assert token not in path.name
    assert token not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o077 == 0


def test_page_needs_the_link_and_asks_nobody_else(tmp_path: Path) -> None:
    web, token, _ = opened(tmp_path)
    page = web.get(f"/r/{token}")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    assert page.text.count("</script>") == 2, "an address must not end the element of data"
    assert web.get("/r/../../etc/passwd").status_code == 404
    assert web.get("/r/guess").status_code == 404
    over = RouteBook(Settings(home=tmp_path)).add(a_route(expires_at=NOW - timedelta(seconds=1)))
    assert web.get(f"/r/{over}").status_code == 404
    assert web.post(f"/r/{over}/visits", content="[]").status_code == 404


def test_route_in_a_page_is_still_json() -> None:
    assert json.loads(as_page(a_route()))["stops"][0]["address"].endswith("</script><b>")


def test_inspector_and_zone_are_the_routes_whatever_the_phone_says() -> None:
    [good], refused = read_visits([visit(inspector="Другой", zone_id="dma-9", meter_id="m-7")], a_route())
    assert (good.inspector, good.zone_id, good.meter_id, good.result) == ("Петрова", "dma-1", "m-7", "dead")
    assert refused == []


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (visit(house_id="b-999"), "house_id"), (visit(house_id=["b-001"]), "house_id"),
        (visit(result="guilty"), "result"), (visit(event_time="yesterday"), "event_time"),
        (visit(reading_m3=-1), "reading_m3"), (visit(code="\x00"), "visit_id"),
    ],
)  # fmt: skip
def test_a_bad_visit_is_refused_by_field_and_the_next_is_taken(bad: dict[str, Any], field: str) -> None:
    good, refused = read_visits([bad, visit("v-2")], a_route())
    assert [one.visit_id for one in good] == ["v-2"]
    assert [one.field for one in refused] == [field]


def test_repeated_posts_are_one_visit(tmp_path: Path, sent: list[str]) -> None:
    web, token, _ = opened(tmp_path)
    for _ in range(3):
        answer = web.post(f"/r/{token}/visits", json=[visit("v-1"), visit("v-1"), visit("v-2", result="nonsense")])
        assert answer.json()["accepted"] == ["v-1", "v-1"]
        assert [one["visit_id"] for one in answer.json()["refused"]] == ["v-2"]
    assert sent == ["v-1"]


@pytest.mark.parametrize("body", ["", "{}", "[1]", "null", "[" * 100_000, '"x"'])
def test_nonsense_is_told_so(body: str, tmp_path: Path, sent: list[str]) -> None:
    web, token, _ = opened(tmp_path)
    assert web.post(f"/r/{token}/visits", content=body).status_code == 422
    assert web.post(f"/r/{token}/visits", content="x" * 300_000).status_code == 413
    assert sent == []


def test_without_a_gateway_the_phone_keeps_the_visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web, token, chosen = opened(tmp_path)

    def nobody(*_: object) -> None:
        raise NotDeliveredError("no gateway listens", PublishTotals(sent=1, acked=1, unheard=1))

    monkeypatch.setattr(survey_app, "_publish", nobody)
    assert web.post(f"/r/{token}/visits", json=[visit()]).status_code == 503
    assert RouteBook(chosen).done(token) == set()


@contextmanager
def serving(chosen: Settings, port: int) -> Iterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(build(chosen), host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the server did not start")
    try:
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)


def until(ready: Any, why: str, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < ends, why
        time.sleep(0.1)


@contextmanager
def listening(chosen: Settings) -> Iterator[list[dict[str, Any]]]:
    """A subscriber in the gateway's place."""
    heard: list[dict[str, Any]] = []
    ready = threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _c, _u, message: heard.append(json.loads(message.payload))
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", int(chosen.mqtt_url.rpartition(":")[2]))
    client.loop_start()
    client.subscribe("gorodok/v1/gorodok/meter_visit/#", qos=1)
    assert ready.wait(10)
    yield heard
    client.disconnect()
    client.loop_stop()


@pytest.mark.browser
@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
def test_a_phone_without_network_loses_nothing_and_doubles_nothing(mosquitto: RunningBroker) -> None:  # noqa: F811
    """Loaded, cut off, opened again from its cache, two visits filled in, back again: each arrives once."""
    chosen = mosquitto.settings
    token = RouteBook(chosen).add(a_route())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with listening(chosen) as heard, Browser(address, width=390) as phone:
        run = phone.driver.execute_script
        with serving(chosen, port):
            phone.driver.get(f"{address}/r/{token}")
            until(lambda: run("return document.querySelectorAll('.stop').length") == 3, "no stops")
            until(
                lambda: phone.driver.execute_async_script(
                    "const done = arguments[0]; caches.match(location.href).then((found) => done(!!found))"
                ),
                "the page is not in the phone's cache",
            )
        phone.driver.get(f"{address}/r/{token}")  # the server is gone: the page comes from the phone
        until(lambda: run("return document.querySelectorAll('.stop').length") == 3, "no page without a network")
        fill(phone, 0, "dead", meter="СВК-77", reading="12,5")
        fill(phone, 1, "no_access")
        until(lambda: "Не отправлено: 2" in phone.text(), "the visits are not kept")
        assert heard == []
        with serving(chosen, port):
            until(lambda: "Всё отправлено" in phone.text(), "the visits did not go out")
            run("localStorage.setItem(`visits:${location.pathname}`, localStorage.getItem("
                "`visits:${location.pathname}`).replaceAll('\"sent\":true', '\"sent\":false'))")  # fmt: skip
            phone.driver.get(f"{address}/r/{token}")  # an answer that was lost: the phone sends them again
            until(lambda: "Всё отправлено" in phone.text(), "the repeat was not answered")
        phone.note()
        assert phone.strangers() == []
    assert len(heard) == 2, heard
    by_house = {one["house_id"]: one for one in heard}
    assert by_house["b-001"]["result"] == "dead"
    assert by_house["b-001"]["meter_id"] == "СВК-77"
    assert by_house["b-001"]["reading_m3"] == 12.5
    assert by_house["b-002"] == by_house["b-002"] | {"result": "no_access", "inspector": "Петрова", "zone_id": "dma-1"}


def fill(phone: Browser, stop: int, result: str, meter: str = "", reading: str = "") -> None:
    """As a finger does it: opens the card, presses what was found, writes, saves."""
    card = phone.driver.find_elements("css selector", ".stop")[stop]
    card.find_element("css selector", "button").click()
    card.find_element("css selector", f'[data-result="{result}"]').click()
    card.find_element("css selector", '[name="meter"]').send_keys(meter)
    card.find_element("css selector", '[name="reading"]').send_keys(reading)
    card.find_element("css selector", "button.main").click()
