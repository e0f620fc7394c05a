"""The duty officer's page over a playing reflex process: what each scene says first, and who may press what."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from actuation.reflex.server import Server
from apps.streamlit import data, desk, duty_judge
from apps.streamlit.serve import MAIN
from city.settings import Settings
from tests.pages.reflex_sample import SCENES, SILENT, Play, serve, town
from tests.pages.using import use

DUTY = {"name": "Анна Дежурная", "email": "duty1@gorodok.example"}
OTHER = {"name": "Борис Дежурный", "email": "duty2@gorodok.example"}
SAYS = {
    "ru": {
        "calm": "Спокойно", "live": "Тревога: Ракетная опасность. Немедленно в укрытие", "silent": "Кому звонить",
        "drill": "УЧЕБНАЯ ТРЕВОГА", "waiting": "Ждёт второго человека", "draft": "черновик оповещения",
    },
    "en": {
        "calm": "Calm", "live": "Alarm: Ракетная опасность", "silent": "Whom to call", "drill": "DRILL",
        "waiting": "Waits for a second person", "draft": "draft alert",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The demo city with one scenario of known words."""
    home = tmp_path_factory.mktemp("duty")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(home=home, cities_dir=town(home), gateway_port=1, reflex_port=port)


@pytest.fixture(scope="module")
def served(chosen: Settings) -> Iterator[tuple[Play, Server]]:
    play, server = serve(chosen)
    yield play, server
    server.stop()


@pytest.fixture
def play(served: tuple[Play, Server], chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> Play:
    use(monkeypatch, chosen)
    served[0].pressed.clear()
    served[0].decided.clear()
    return served[0]


def run(language: str = "ru", user: dict[str, Any] | None = None, wall: bool = False) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.session_state["chosen_language"] = language
    if user is not None:
        app.user = {"is_logged_in": True, "iat": int(time.time()) - 60, **user}
    if wall:
        app.query_params["wall"] = "1"
    app.switch_page("views/duty.py").run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in app.get("html"))


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button if button.key}


@pytest.mark.parametrize(
    ("scene", "language"), [*((scene, "ru") for scene in SCENES), ("silent", "en"), ("draft", "en")]
)
def test_each_scene_says_what_is_going_on(scene: str, language: str, play: Play) -> None:
    play.show(scene)
    play.since -= timedelta(seconds=30)
    said = html(run(language))
    assert SAYS[language][scene] in said
    for bug in ("не удалось", "could not be shown", "Traceback"):
        assert bug not in said


def test_a_viewer_has_no_button(play: Play) -> None:
    for scene in SCENES:
        play.show(scene)
        desk.forget()
        assert not [key for key in keys(run()) if key.startswith(("duty_", "confirm_", "clear_", "stop_", "draft_"))]


def test_who_is_silent_is_named_with_address_and_telephone(play: Play) -> None:
    play.show("silent")
    play.since -= timedelta(seconds=4)
    said = html(run())
    assert "Садовая улица, д. 11" in said
    assert 'href="tel:+74850550139"' in said
    assert "механизм заклинило" in said
    desk.forget()
    play.show("silent")  # a second after the command nobody is called silent yet
    assert "д. 11</strong>" not in html(run())


def test_commanded_answered_and_sensed_are_three_numbers(play: Play) -> None:
    play.show("drill")
    play.since -= timedelta(seconds=30)
    said = html(run())
    numbers = {name: int(number) for number, name in re.findall(r"<b>(\d+)</b><span>([^<]+)</span>", said)}
    asked = sum(one["commanded"] is not None for one in play.devices())
    assert numbers["скомандовано"] == numbers["ответили «сделано»"] == asked > 0
    assert numbers["открыто по датчикам"] == 0, "in a drill doors say yes and stay where they are"


def test_a_device_of_two_runs_is_shown_once_as_it_stands_worst(play: Play) -> None:
    play.show("silent")
    play.since -= timedelta(seconds=30)
    now = datetime.now(UTC)
    silent = next(row for row in play.devices() if row["device_id"] == SILENT)
    drilled = {**silent, "answered": "would_do", "commanded_at": now.isoformat()}
    older = {**drilled, "commanded_at": (now - timedelta(minutes=5)).isoformat()}
    for rows in ([silent, drilled], [drilled, silent]):
        assert duty_judge.each_once(rows, now) == [silent]
    assert duty_judge.each_once([older, drilled], now) == [drilled]


def test_a_start_is_asked_twice_and_carries_the_name(play: Play) -> None:
    play.show("calm")
    app = run(user=DUTY)
    assert app.button(key="duty_start").disabled
    app.button_group(key="duty_zones").set_value(["dma-1"]).run()
    app.button(key="duty_start").click().run()
    assert not play.pressed, "the first press only asks"
    app.button(key="duty_start_yes").click().run()
    assert play.pressed == [
        {"scenario": "missile_alert", "press": "start", "zones": ["dma-1"], "run_id": None, "note": None,
         "by": "Анна Дежурная <duty1@gorodok.example>", "role": "duty"}
    ]  # fmt: skip
    assert "Ждёт второго человека" in html(app)


def test_only_another_person_confirms(play: Play) -> None:
    play.show("waiting")
    own = run(user=DUTY)
    assert own.button(key="confirm_run-1").disabled
    assert "Просит: Анна Дежурная" in html(own)
    other = run(user=OTHER)
    assert not other.button(key="confirm_run-1").disabled
    other.button(key="confirm_run-1").click().run()
    assert (play.pressed[0]["press"], play.pressed[0]["by"]) == ("confirm", "Борис Дежурный <duty2@gorodok.example>")


def test_a_draft_waits_for_a_person(play: Play) -> None:
    play.show("draft")
    app = run(user=DUTY)
    app.button(key="draft_confirm_d-1").click().run()
    assert play.decided == [("d-1", True, "Анна Дежурная <duty1@gorodok.example>")]


def test_a_sign_in_is_good_for_a_shift(play: Play) -> None:
    play.show("live")
    app = run(user={**DUTY, "iat": int(time.time()) - 13 * 3_600})
    assert "смена кончилась" in html(app)
    assert "duty_start" not in keys(app)


def test_a_wall_has_no_controls(play: Play) -> None:
    play.show("silent")
    play.since -= timedelta(seconds=30)
    app = run(user=DUTY, wall=True)
    assert "d-wall" in html(app)
    assert "Кому звонить" in html(app)
    assert not app.button


def test_nobody_answers(chosen: Settings, play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No old picture is shown as if it were the city."""
    away = chosen.model_copy(update={"reflex_port": 9})
    monkeypatch.setattr(data, "settings", lambda: away)
    said = html(run())
    assert "Процесс рефлексов не отвечает" in said
    assert "<code>gorodok reflex</code>" in said
    assert "Спокойно" not in said


def test_silence_is_seen_within_five_seconds_of_the_command(play: Play) -> None:
    """A look each second, as the page's fragment does."""
    play.show("silent")
    started = datetime.now(UTC)
    while "Кому звонить" not in html(run()):
        assert (datetime.now(UTC) - started).total_seconds() < 5
        time.sleep(0.5)
