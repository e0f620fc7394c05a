"""Our own alerts: valid, signed, in two languages, and tried until every receiver has them."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from actuation.cap import Accepted, CapSource, SeenAlerts, ZoneIndex, judge
from actuation.cap.out import AtomHandler, CapKey, CapKeyError, CapOut, Outbox, Receivers, load_receivers, make_cap_key
from actuation.cap.out.places import ZonePlaces
from actuation.cap.out.receivers import Mqtt, ReceiversError, Webhook
from actuation.cap.out.send import send
from actuation.scenario.effect import Cause, PublishCap
from city.profile import load_city
from city.settings import Settings
from ingest.adapters.cap import decode
from ingest.cap.index import entries
from ingest.cap.xml import parse
from tests.actuation.cap.listening import listening
from tests.actuation.cap.signing import NOW, SENDER
from tests.broker.conftest import RunningBroker

INFO = {
    "category": ["Safety"], "responseType": ["Shelter"], "urgency": "Immediate", "severity": "Extreme",
    "certainty": "Likely", "expires": "2100-01-01T00:00:00+00:00",
    "area": [{"areaDesc": "dma-1", "geocode": [{"valueName": "zone_id", "value": "dma-1"}]}],
}  # fmt: skip
RU = {**INFO, "language": "ru-RU", "event": "Ракетная опасность", "headline": "В укрытие"}
EN = {**INFO, "language": "en-US", "event": "Missile alert", "headline": "Go to shelter"}


def effect(identifier: str = "e" * 32, mode: Any = "live", **more: Any) -> PublishCap:
    alert = {"status": "Actual", "msgType": "Alert", "scope": "Public", "info": [RU, EN], **more}
    return PublishCap(identifier, Cause("missile_alert", "1", "onward", "r1", "alert", "k"), mode, alert)


def receivers(*found: Webhook | Mqtt) -> Receivers:
    return Receivers(sender=SENDER, sender_name="ЕДДС", receiver=list(found))


def webhook(url: str, **more: Any) -> Webhook:
    told = {"code": "hook", "title_ru": "р", "title_en": "r", "channel": "webhook", "timeout_s": 0.5}
    return Webhook(**told | more, url=url)


@pytest.fixture
def key(tmp_path: Path) -> CapKey:
    return make_cap_key(tmp_path / "keys", "Test city")


@pytest.fixture
def make(tmp_path: Path, key: CapKey) -> Iterator[Callable[..., CapOut]]:
    with contextlib.ExitStack() as stack:

        def build(*found: Webhook | Mqtt) -> CapOut:
            city = load_city(Settings(home=tmp_path))
            out = CapOut(Outbox(tmp_path / "cap_out" / "o.sqlite"), key, receivers(*found), ZonePlaces(city))
            stack.callback(out.stop)
            return out

        yield build


def test_the_receiver_that_pins_our_certificate_believes_it(make: Any, key: CapKey, tmp_path: Path) -> None:
    """Read back through our own judge, as a neighbour city that runs the same platform would."""
    out = make()
    assert out.submit(effect(), NOW)
    document = out.outbox.alert("e" * 32).document
    source = CapSource(
        code="us", title_ru="м", title_en="u", trust="signed", certificates=("cap-certificate.pem",), senders=(SENDER,)
    ).resolved(tmp_path / "keys", tmp_path)
    zones = ZoneIndex.of(load_city(Settings(home=tmp_path)))
    now = datetime.now(UTC)
    verdict = judge(document, source.model_copy(update={"max_age_s": 1e9}).resolved(tmp_path / "keys", tmp_path), zones,
                    SeenAlerts(), now)  # fmt: skip
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.trust, verdict.zones) == ("verified", ("dma-1",))
    said = [(info.language, info.event, info.area[0].areaDesc, info.senderName) for info in verdict.alert.info]
    assert said == [
        ("ru-RU", "Ракетная опасность", "Заречный", "ЕДДС"),
        ("en-US", "Missile alert", "Zarechny", "ЕДДС"),
    ]


def test_the_key_is_its_owners_and_not_replaced_unasked(key: CapKey, tmp_path: Path) -> None:
    assert CapKey.load(tmp_path / "keys").fingerprint == key.fingerprint
    with pytest.raises(CapKeyError, match="every receiver"):
        make_cap_key(tmp_path / "keys", "again")
    (tmp_path / "keys" / "cap-key.pem").chmod(0o644)
    with pytest.raises(CapKeyError, match="chmod"):
        CapKey.load(tmp_path / "keys")
    assert make_cap_key(tmp_path / "keys", "again", replace=True).fingerprint != key.fingerprint


def test_what_is_not_public_or_not_valid_stays_here(make: Any) -> None:
    out = make()
    assert not out.submit(effect("1" * 32, scope="Restricted", restriction="staff"), NOW)
    assert not out.submit(effect("2" * 32, info=[{**RU, "category": []}]), NOW)
    assert not out.submit(effect("3" * 32, mode="shadow"), NOW)
    assert out.outbox.alerts() == []


def test_a_drill_goes_out_as_an_exercise(make: Any) -> None:
    out = make()
    out.submit(effect(mode="drill"), NOW)
    assert out.outbox.alert("e" * 32).status == "Exercise"


def test_an_update_names_the_alert_whole_and_overtakes_it(make: Any) -> None:
    """The engine knows its earlier alert by effect; the receiver must never get the alert after its all-clear."""
    out = make(webhook("http://127.0.0.1:9/"))
    out.submit(effect("1" * 32), NOW)
    out.submit(effect("2" * 32, msgType="Cancel", references="1" * 32), NOW)
    root = parse(out.outbox.alert("2" * 32).document)
    assert root.findtext("{*}references") == f"{SENDER},{'1' * 32},2026-03-01T09:00:00+00:00"
    states = {one.identifier[0]: one.state for one in out.outbox.deliveries()}
    assert states == {"1": "expired", "2": "waiting"}
    assert [row.result for _, row in out.deliveries(0)] == ["expired"]


class Server:
    """A real TCP server whose answers are written by hand, one after the other; the last goes on for ever."""

    def __init__(self, *answers: str) -> None:
        self.requests: list[bytes] = []
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/cap"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection, next(self._answers)), daemon=True).start()

    def _answer(self, connection: socket.socket, answer: str) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"</alert>" not in request:
                request += connection.recv(65_536)
            self.requests.append(request)
            if answer == "hang":
                time.sleep(2)
            elif answer == "drip":
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
            elif answer == "lie":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nok")
            elif answer == "garbage":
                connection.sendall(b"\x00\xff\x00 no HTTP\r\n\r\n")
            else:
                connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n".encode())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    with contextlib.ExitStack() as stack:

        def start(*answers: str) -> Server:
            made = Server(*answers)
            stack.callback(made.close)
            return made

        yield start


@pytest.mark.parametrize(
    ("answer", "accepted", "words"),
    [
        ("202 Accepted", True, "HTTP 202"),
        ("500 Broken", False, "HTTP 500"),
        ("404 Not Found", False, "HTTP 404"),
        ("302 Found", False, "HTTP 302"),
        ("hang", False, "no whole answer within"),
        ("drip", False, "no whole answer within"),
        ("lie", False, "RemoteProtocolError"),
        ("garbage", False, "RemoteProtocolError"),
    ],
)
def test_one_attempt_whatever_the_other_side_does(server: Any, answer: str, accepted: bool, words: str) -> None:
    started = time.monotonic()
    found = send(webhook(server(answer).url), b"<alert></alert>")
    assert found[0] is accepted
    assert words in found[1]
    assert time.monotonic() - started < 1.5


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.02)


def test_retried_until_accepted(server: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actuation.cap.out.outbox.FIRST_WAIT_S", 0.05)
    behind = server("500 Broken", "hang", "lie", "202 Accepted")
    out = make(webhook(behind.url))
    out.start()
    assert out.submit(effect())
    assert not out.submit(effect()), "the same effect again is the same alert"
    until(lambda: [one.state for one in out.outbox.deliveries()] == ["accepted"])
    rows = [row for _, row in out.deliveries(0)]
    assert [row.result for row in rows] == ["retry", "retry", "retry", "accepted"]
    assert [row.attempt for row in rows] == [1, 2, 3, 4]
    assert rows[0].answer == "HTTP 500"
    assert all(row.next_at is not None for row in rows[:3])
    assert len({request.split(b"\r\n\r\n", 1)[1] for request in behind.requests}) == 1, "the same bytes each time"


def test_a_delivery_survives_the_process(server: Any, make: Any) -> None:
    """The first process dies while nobody listens; the next one delivers without being told of the alert."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    first = make(webhook(f"http://127.0.0.1:{port}/cap"))
    first.start()
    first.submit(effect())
    until(lambda: bool(first.deliveries(0)))
    first.stop()
    second = make(webhook(server("200 OK").url))
    second.start()
    until(lambda: [one.state for one in second.outbox.deliveries()] == ["accepted"])
    assert second.deliveries(0)[-1][1].attempt >= 2


def test_a_slow_receiver_delays_nobody(server: Any, make: Any) -> None:
    slow, quick = webhook(server("hang").url, code="slow", timeout_s=2), webhook(server("200 OK").url, code="quick")
    out = make(slow, quick)
    out.start()
    started = time.monotonic()
    out.submit(effect())
    until(lambda: any(one.receiver == "quick" and one.state == "accepted" for one in out.outbox.deliveries()))
    assert time.monotonic() - started < 1.5


def test_an_alert_that_is_over_is_not_tried_for_ever(server: Any, make: Any) -> None:
    behind = server("500 Broken")
    out = make(webhook(behind.url))
    soon = (datetime.now(UTC) + timedelta(seconds=1.2)).isoformat(timespec="seconds")
    out.submit(effect(info=[{**RU, "expires": soon}]))
    out.start()
    until(lambda: [one.state for one in out.outbox.deliveries()] == ["expired"])
    assert out.deliveries(0)[-1][1].result == "expired"


def test_only_those_who_want_drills_get_them(make: Any) -> None:
    both = webhook("http://127.0.0.1:9/", code="both", statuses=["Actual", "Exercise"])
    out = make(both, webhook("http://127.0.0.1:9/", code="live"))
    out.submit(effect(mode="drill"), NOW)
    assert [one.receiver for one in out.outbox.deliveries()] == ["both"]


@pytest.mark.broker
def test_mqtt_is_accepted_when_somebody_listens(mosquitto: RunningBroker, make: Any) -> None:
    """A real broker: nobody listens, so it is not accepted; then somebody does."""
    url = mosquitto.settings.mqtt_url
    receiver = Mqtt(code="bus", title_ru="ш", title_en="b", channel="mqtt", url=url, topic="region/cap")
    accepted, words = send(receiver, b"<alert/>")
    assert not accepted
    assert "nobody listens" in words
    heard: list[tuple[str, bytes]] = []
    with listening(mosquitto.settings, "region/cap", heard):
        out = make(receiver)
        out.start()
        out.submit(effect())
        until(lambda: [one.state for one in out.outbox.deliveries()] == ["accepted"])
        until(lambda: bool(heard))
    assert heard == [("region/cap", out.outbox.alert("e" * 32).document)]


def test_mqtt_without_a_broker_is_not_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"mqtt://127.0.0.1:{port}"
    receiver = Mqtt(code="bus", title_ru="ш", title_en="b", channel="mqtt", url=url, topic="t", timeout_s=1)
    assert send(receiver, b"<alert/>")[0] is False


def test_the_atom_index_is_read_by_our_own_puller(make: Any, key: CapKey) -> None:
    out = make()
    out.submit(effect("1" * 32), NOW)
    out.submit(effect("2" * 32), NOW + timedelta(seconds=1))
    handler = AtomHandler(out.outbox, "https://city.example/cap/", "Городок")
    index = handler.page("/cap/index.atom")
    found = entries(parse(index.body), "https://city.example/cap/index.atom")
    assert [one.address for one in found] == [f"https://city.example/cap/{n * 32}.xml" for n in "21"]
    page = handler.page(f"/cap/{'2' * 32}.xml")
    assert page.body == out.outbox.alert("2" * 32).document, "byte for byte, or the signature breaks"
    assert decode(page.body, "t").rows == 1
    for bad in ("/cap/../keys/cap-key.pem", "/cap/x.xml", "/cap/", "/cap/" + "a" * 300 + ".xml"):
        assert handler.page(bad).status == 404
    assert handler.page("index.atom").body.startswith(b"<?xml")
    etree.fromstring(handler.page("index.atom").body)


def test_the_index_as_files_for_any_web_server(key: CapKey, tmp_path: Path) -> None:
    told = receivers().model_copy(update={"public_url": "https://city.example/cap/"})
    out = CapOut(Outbox(tmp_path / "o.sqlite"), key, told, None, tmp_path / "public")
    out.submit(effect("1" * 32), NOW)
    out.submit(effect("2" * 32), NOW + timedelta(seconds=1))
    (tmp_path / "public" / "old.xml").write_bytes(b"no longer shown")
    out.submit(effect("3" * 32), NOW + timedelta(seconds=2))
    assert sorted(path.name[0] for path in (tmp_path / "public").glob("*.xml")) == ["1", "2", "3"]
    index = parse((tmp_path / "public" / "index.atom").read_bytes())
    assert [one.address[-37:] for one in entries(index, "")] == [f"/{n * 32}.xml" for n in "321"]
    assert (tmp_path / "public" / f"{'1' * 32}.xml").read_bytes() == out.outbox.alert("1" * 32).document  # type: ignore[union-attr]
    out.stop()


def test_receivers_file_with_secrets_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "town").mkdir()
    path = tmp_path / "town" / "alert_receivers.toml"
    settings = Settings(home=tmp_path, cities_dir=tmp_path, city="town")
    assert load_receivers(settings) is None
    path.write_text(
        'sender = "a@b"\nsender_name = "Г"\n[[receiver]]\ncode = "x"\ntitle_ru = "р"\ntitle_en = "r"\n'
        'channel = "webhook"\nurl = "https://x.example"\nheaders = { Authorization = "Bearer ${TOKEN}" }\n'
    )
    with pytest.raises(ReceiversError, match="TOKEN"):
        load_receivers(settings, {})
    found = load_receivers(settings, {"TOKEN": "s3cret"})
    assert found is not None
    assert found.receiver[0].headers == {"Authorization": "Bearer s3cret"}  # type: ignore[union-attr]
    path.write_text(path.read_text().replace("https", "gopher"))
    with pytest.raises(ReceiversError, match="address begins with") as error:
        load_receivers(settings, {"TOKEN": "s3cret"})
    assert "s3cret" not in str(error.value)


def test_the_demo_citys_files_load(tmp_path: Path) -> None:
    assert load_receivers(Settings(home=tmp_path)) is not None
    assert CapOut.open(Settings(home=tmp_path, cities_dir=tmp_path, city="none")) is None
    with pytest.raises(CapKeyError, match="gorodok alert cert"):
        CapOut.open(Settings(home=tmp_path))
