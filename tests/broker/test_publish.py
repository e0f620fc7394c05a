"""`ingest.publish.Publisher` against the real brokers."""

from __future__ import annotations

import socket
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.publish import NotDeliveredError, Publisher, topic_of


class Listener:
    """Collects what arrives under the city's topics."""

    def __init__(self, settings: Settings) -> None:
        self.got: list[tuple[str, bytes]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "listener", protocol=mqtt.MQTTv5)
        self._client.on_message = lambda client, userdata, message: self.got.append((message.topic, message.payload))
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        host, port = settings.mqtt_url.removeprefix("mqtt://").split(":")
        self._client.connect(host, int(port))
        self._client.loop_start()
        self._client.subscribe("gorodok/v1/gorodok/+/+", qos=1)
        assert subscribed.wait(5)

    def wait(self, count: int, seconds: float = 30) -> list[tuple[str, bytes]]:
        deadline = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return list(self.got)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_every_message_is_acknowledged_and_arrives(broker):
    listener = Listener(broker.settings)
    started = time.monotonic()
    with Publisher(broker.settings, "test-publisher") as publisher:
        for number in range(20_000):
            publisher.publish("vehicle_position", "bus-1", b"%d" % number)
        totals = publisher.drain(30)
    print(f"{broker.name}: {20_000 / (time.monotonic() - started):.0f} messages/s")
    assert (totals.sent, totals.acked, totals.refused, totals.unheard) == (20_000, 20_000, 0, 0)
    got = listener.wait(20_000)
    listener.close()
    assert {topic for topic, _ in got} == {"gorodok/v1/gorodok/vehicle_position/bus-1"}
    assert sorted(int(payload) for _, payload in got) == list(range(20_000))


def test_small_packets_leave_at_once(mosquitto):
    """TCP_NODELAY really is set on the socket: without it, paho's default, this assertion fails."""
    with Publisher(mosquitto.settings) as publisher:
        sock = publisher._client.socket()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_mosquitto_with_its_own_small_receive_maximum_is_honoured(tmp_path, mosquitto):
    """paho alone sends 1,000 at once and mosquitto cuts the connection for it (0x93)."""
    conf = tmp_path / "broker" / "mosquitto.conf"
    conf.write_text(conf.read_text().replace("max_inflight_messages 1000", "max_inflight_messages 10"))
    mosquitto.stop()
    mosquitto.start()
    with Publisher(mosquitto.settings) as publisher:
        for number in range(2_000):
            publisher.publish("alert", "p", b"%d" % number)
        totals = publisher.drain(20)
    assert (totals.acked, totals.reconnects) == (2_000, 0)


def test_nobody_listening_is_noticed(mosquitto):
    with Publisher(mosquitto.settings) as publisher:
        publisher.publish("alert", "p", b"{}")
        assert publisher.drain(5).unheard == 1


def test_a_message_that_the_broker_would_cut_us_off_for_is_refused_here(mosquitto):
    with Publisher(mosquitto.settings) as publisher:
        with pytest.raises(ValueError, match=r"2,097,153 bytes, and broker .* takes 2,097,152 a packet"):
            publisher.publish("alert", "p", b"x" * 2_097_153)
        publisher.publish("alert", "p", b"x" * 2_000_000)
        assert publisher.drain(5).acked == 1


def test_version_3_1_1(mosquitto):
    with Publisher(mosquitto.settings.model_copy(update={"mqtt_version": "3.1.1"})) as publisher:
        publisher.publish("alert", "p", b"{}")
        assert publisher.drain(5).acked == 1


@pytest.mark.fault
def test_a_broker_that_comes_back_gets_everything(mosquitto):
    with Publisher(mosquitto.settings) as publisher:
        mosquitto.kill()
        for number in range(500):
            publisher.publish("vehicle_position", "bus-1", b"%d" % number)
        mosquitto.start()
        totals = publisher.drain(30)
    assert (totals.acked, totals.reconnects) == (500, 1)


@pytest.mark.fault
def test_a_broker_that_stays_away_is_an_error_and_not_a_hang(mosquitto):
    with Publisher(mosquitto.settings) as publisher:
        mosquitto.kill()
        publisher.publish("alert", "p", b"{}")
        with pytest.raises(NotDeliveredError, match="acknowledged nothing for 1 s, 1 messages wait"):
            publisher.drain(1)
        mosquitto.start()


def test_no_broker_says_how_to_start_one(tmp_path):
    settings = Settings(home=tmp_path, mqtt_url="mqtt://127.0.0.1:9")
    with pytest.raises(BrokerUnreachableError, match=r"127\.0\.0\.1:9.*python -m ingest\.broker"), Publisher(settings):
        pass


@pytest.mark.parametrize(
    ("feed", "publisher"), [("nonsense", "p"), ("alert", "a/b"), ("alert", "#"), ("alert", ""), ("alert", "a\n")]
)
def test_a_topic_that_would_not_reach_the_gateway_is_refused(feed, publisher):
    with pytest.raises(ValueError, match=r"feed 'nonsense' has no contract|cannot be part of a topic"):
        topic_of("gorodok", feed, publisher)
