"""The water-loss page: what it says first, every section, the button that sends a crew (to a real broker), exports."""

from __future__ import annotations

import io
import json
import math
import threading
import zipfile
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from apps.cli.commands import survey as survey_command
from apps.cli.main import app as cli
from apps.streamlit.judge import ZoneFinding
from apps.streamlit.water import drawing, facts, leaks, meeting, presser, sankey, todo
from apps.streamlit.who import Person
from apps.streamlit.words import Words
from apps.web.survey.routes import RouteBook
from city.settings import Settings
from domains.water.survey import Suspicion
from tests.broker.conftest import RunningBroker, free_pair, mosquitto  # noqa: F401 - the fixture
from tests.pages import sample, water_sample
from tests.pages.test_pages import html, run
from tests.pages.using import use

SECTIONS = ("balance", "leaks", "orders", "survey", "trial", "meeting")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RU = Words("ru", ZoneInfo("Europe/Moscow"))
ZONE = ZoneFinding("dma-2", date(2026, 11, 23), 100.0, 0.3, 9.0, 0.6)
STOP = Suspicion("b-001", "dma-1", (), ("unmetered_use",), 5_000.0, (("почему", "why"),))


@pytest.fixture(scope="module")
def utility(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A sample city with three leaks running."""
    chosen, now = Settings(home=tmp_path_factory.mktemp("utility"), gateway_port=1), datetime.now(UTC)
    sample.fill(chosen)
    water_sample.fill(chosen, now)
    water_sample.tell(chosen, water_sample.running(now))
    return chosen


def section(app: AppTest, code: str) -> str:
    app.button_group(key="water_section").set_value(code).run()
    assert not app.exception
    return html(app)


# --- today's one thing


def found(code: str = "f", **told: Any) -> Any:
    return water_sample.finding(code, NOW, **told)


def an_order(one: Any, hours: float, stage: str = "ordered") -> facts.Order:
    told = water_sample.order(one, NOW, hours=hours, stage=stage).model_dump()
    return facts.Order(**{name: told[name] for name in facts.Order.__dataclass_fields__ if name in told})


def test_the_dearest_expected_leak_without_a_crew_comes_first() -> None:
    cheap, dear = found("a", cost_day=1_000.0, confidence=0.9), found("b", cost_day=3_000.0, confidence=0.5)
    told = todo.choose(facts.Leaks([cheap, dear]), ZONE, [STOP], NOW)
    assert (told.what, told.finding) == ("send", dear)
    unsure = found("c", cost_day=3_000.0, confidence=0.2)
    assert todo.choose(facts.Leaks([cheap, unsure]), None, [], NOW).finding is cheap


def test_a_late_crew_comes_before_a_new_leak() -> None:
    sent, fresh = found("a"), found("b", cost_day=90_000.0)
    told = todo.choose(facts.Leaks([sent, fresh], [an_order(sent, hours=-3)]), None, [], NOW)
    assert (told.what, told.finding) == ("late", sent)


def test_a_crew_in_time_leaves_the_day_to_the_inspectors() -> None:
    sent = found("a")
    known = facts.Leaks([sent], [an_order(sent, hours=3)])
    assert todo.choose(known, ZONE, [STOP], NOW).what == "inspect"
    assert todo.choose(known, ZONE, [], NOW).what == "wait"
    assert todo.choose(facts.Leaks(), ZONE, [STOP], NOW).what == "zone"
    assert todo.choose(facts.Leaks(), None, [], NOW).what == "calm"


def test_a_cancelled_order_is_none_and_the_crew_is_asked_again() -> None:
    sent = found("a")
    assert todo.choose(facts.Leaks([sent], [an_order(sent, 3, "cancelled")]), None, [], NOW).what == "send"


# --- drawings and their sums


def test_running_cost_by_hand() -> None:
    """1,000 roubles a day for 3 days are 3,000, and 10,000 a week later if nobody mends."""
    one = found("a", cost_day=1_000.0, likely_start=NOW - timedelta(days=3))
    rows = drawing.running_cost([one], {"a": "p1"}, NOW)
    by_day = dict(zip(rows["day"], rows["rub"], strict=True))
    assert by_day[NOW.date()] == pytest.approx(3_000)
    assert by_day[NOW.date() + timedelta(days=7)] == pytest.approx(10_000)
    assert rows.filter(pl.col("day") > NOW.date())["is_ahead"].all()
    assert min(by_day) == NOW.date() - timedelta(days=2)


def test_the_five_dearest_leaks_are_named_and_the_rest_is_one() -> None:
    many = [found(str(number), cost_day=100.0 * (number + 1)) for number in range(12)]
    rows = drawing.running_cost(many, {str(number): f"p{number}" for number in range(12)}, NOW, rest="rest")
    assert set(rows["name"]) == {"p11", "p10", "p9", "p8", "p7", "rest"}
    week = rows.filter((pl.col("day") == NOW.date()) & (pl.col("name") == "rest"))["rub"][0]
    assert week == pytest.approx(7 * 100 * sum(range(1, 8)))


def test_sankey_is_in_proportion_and_leaves_room_for_words() -> None:
    tall = sankey.heights([900, 60, 30, 10], 300)
    assert tall[0] / tall[1] == pytest.approx(15)
    assert sum(max(one, sankey.ROW) + sankey.GAP for one in tall) - sankey.GAP == pytest.approx(300, abs=0.5)
    told = sankey.Volumes(900, 0, 30, 10, -5)
    assert [leaf.code for leaf in sankey.leaves(told)] == ["billed_metered", "unbilled", "apparent"]
    svg = sankey.draw(told, RU, width=360, height=400, words_px=168, size_px=13)
    assert "По счётчикам" in svg
    assert "По нормативу" not in svg


def test_alternatives_that_are_no_list_are_none() -> None:
    assert leaks.alternatives(found(alternatives="not json")) == []
    assert leaks.alternatives(found(alternatives='{"a":1}')) == []
    assert leaks.alternatives(found(alternatives='[["p9", 0.2, 40.0]]'))[0]["pipe"] == "p9"


def test_who_presses() -> None:
    """Without a provider a name is written; with one only a duty officer or an admin presses, under their own name."""
    known = {"name": "Иванова", "signed_in": True, "can_sign_in": True}
    assert presser.signed_in(Person()) is None
    assert presser.signed_in(Person(can_sign_in=True)) == ""
    assert presser.signed_in(Person(**known, role="viewer")) == ""
    assert presser.signed_in(Person(**known, role="duty", ended=True)) == ""
    assert presser.signed_in(Person(**known, role="duty")) == "Иванова"


# --- the page


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_section_stands(language: str, utility: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, utility)
    app = run("water", language)
    says = {
        "ru": ("Куда уходит вода", "Находки на сети", "Сделано в срок", "а не приговор", "Наименьший напор", "Скачать"),
        "en": ("Where the water goes", "Findings on", "Done in time", "not verdicts", "Least pressure", "meeting"),
    }[language]  # fmt: skip
    for code, words in zip(SECTIONS, says, strict=True):
        said = section(app, code)
        buttons = " ".join(str(one.proto.label) for one in app.get("download_button"))
        assert words in said + buttons, code
        assert "не удалось показать" not in said
        assert "could not be shown" not in said


def test_first_line_is_one_thing_with_roubles(utility: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, utility)
    said = html(run("water", "ru"))
    first = said[said.index("g-verdict") :]
    assert "Отправьте бригаду: труба p070, Центральный" in first[:400]
    assert "4\u202f760\u202f₽ в сутки" in first[:400]


def test_zone_narrows_the_leaks(utility: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, utility)
    app = run("water", "ru")
    app.button_group(key="water_zone").set_value("dma-3").run()
    said = section(app, "leaks")
    body = said[said.index("Все утечки") :]
    assert "труба p120" in body
    assert "труба p070" not in body


def test_what_if_is_asked_from_the_page(utility: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, utility)
    app = run("water", "ru")
    section(app, "trial")
    app.multiselect(key="trial_repair").set_value(["p070"]).run()
    said = html(app)
    assert "Напора хватит всем" in said
    assert "−6,2" in said, "repairing the leak of 6.2 m³/h saves it"


def test_a_press_without_a_broker_says_so(utility: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, utility.model_copy(update={"mqtt_url": f"mqtt://127.0.0.1:{free_pair()}"}))
    app = pressed(run("water", "ru"))
    assert "Наряд не ушёл" in html(app)


def pressed(app: AppTest) -> AppTest:
    section(app, "leaks")
    assert app.button(key="loss_send").disabled, "nobody presses without a name"
    app.text_input(key="loss_presser").set_value("  Иванова\u200b  Анна ").run()
    app.button(key="loss_send").click().run()
    assert not app.exception
    return app


@pytest.mark.broker
def test_one_press_sends_the_order_and_its_incident(
    utility: Settings, mosquitto: RunningBroker, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    heard: list[tuple[str, dict[str, Any]]] = []
    both, ready = threading.Event(), threading.Event()

    def on_message(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        heard.append((message.topic, json.loads(message.payload)))
        if len(heard) >= 2:
            both.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message, client.on_subscribe = on_message, lambda *_: ready.set()
    client.connect("127.0.0.1", int(mosquitto.settings.mqtt_url.rpartition(":")[2]))
    client.loop_start()
    client.subscribe("gorodok/v1/gorodok/+/water-page", qos=1)
    assert ready.wait(10)
    use(monkeypatch, utility.model_copy(update={"mqtt_url": mosquitto.settings.mqtt_url}))
    try:
        app = pressed(run("water", "ru"))
        assert both.wait(20), html(app)[-800:]
    finally:
        client.disconnect()
        client.loop_stop()
    assert "Наряд ушёл: Аварийная бригада Водоканала" in html(app)
    told = {topic.split("/")[3]: payload for topic, payload in heard}
    assert set(told) == {"incident", "work_order"}
    assert told["work_order"]["ordered_by"] == "Иванова Анна"
    assert told["work_order"]["contractor"] == "vodokanal-crew-1"
    assert told["work_order"]["finding_id"] == "dma-2:p070:1"
    assert told["incident"]["incident_id"] == told["work_order"]["incident_id"]


def test_a_route_for_a_phone_is_made_of_the_same_suspicions(utility: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gorodok survey route` on the same lake: its link opens the form; a zone narrows it; a strange one is told so."""
    monkeypatch.setattr(survey_command, "settings", lambda: utility)
    made = CliRunner().invoke(
        cli, ["survey", "route", "--inspector", "Петрова", "--base", "https://o.example", "--json"]
    )
    assert made.exit_code == 0, made.output
    told = json.loads(made.output)
    assert told["link"].startswith("https://o.example/r/")
    kept = RouteBook(utility).find(told["link"].rpartition("/")[2])
    assert kept is not None
    assert kept.inspector == "Петрова"
    assert {stop.zone_id for stop in kept.stops} == {"dma-1", "dma-2", "dma-3"}
    assert all(stop.reasons_ru and stop.address for stop in kept.stops)
    other = CliRunner().invoke(cli, ["survey", "route", "--inspector", "Петрова", "--zone", "dma-9"])
    assert other.exit_code == 1


# --- for the meeting


def a_meeting() -> meeting.Meeting:
    days = pl.DataFrame(
        {"zone_id": ["dma-1", "dma-2"], "losses_low_m3": [7.0, 16.0], "losses_high_m3": [13.0, 24.0],
         "losses_rub": [320.0, 640.0], "billed_metered_m3": [80.0, 70.0], "billed_unmetered_m3": [5.0, 5.0],
         "unbilled_m3": [5.0, 5.0], "apparent_m3": [2.0, 4.0], "real_m3": [8.0, 16.0]}
    )  # fmt: skip
    one = found("a", pipe='=cmd|"#[x]')
    known = facts.Leaks([one], [an_order(one, 4)])
    return meeting.gather(
        todo="#set page() *важно*", city="Городок", chosen=(date(2026, 11, 1), date(2026, 11, 23)), balance_days=days,
        leaks=known, suspicions=[STOP], names=lambda key, _: key, words=RU, now=NOW,
    )  # fmt: skip


def test_meeting_adds_up_and_bounds_of_zones_add_in_quadrature() -> None:
    *zones, total = a_meeting().tables[0].rows
    assert total[1] == pytest.approx(sum(row[1] for row in zones)) == pytest.approx(200)  # type: ignore[misc]
    assert total[-2] == pytest.approx(math.hypot(3, 4))
    assert total[-1] == 960


def test_xlsx_holds_numbers_and_no_formula() -> None:
    book = zipfile.ZipFile(io.BytesIO(meeting.xlsx(a_meeting(), RU)))
    sheets = [book.read(name).decode() for name in book.namelist() if "worksheets/" in name]
    assert len(sheets) == 5
    assert not [sheet for sheet in sheets if "<f>" in sheet]
    assert "=cmd" in book.read("xl/sharedStrings.xml").decode()


def test_pdf_is_a_pdf_and_takes_text_as_text() -> None:
    assert meeting.pdf(a_meeting(), RU).startswith(b"%PDF-")
