"""One MQTT connection for all simulated devices (paho: it is the client that devices in the field use most)."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.settings import Settings

log = logging.getLogger(__name__)

SESSION_S = 3_600
KEEPALIVE_S = 30
MAX_OUTSTANDING = 1_000
DEFAULT_PORT = {"mqtt": 1883, "mqtts": 8883}


class BrokerUrlError(ValueError):
    """GORODOK_MQTT_URL cannot be used."""


class Broker:
    """QoS 1; comes back by itself when the broker does. `send` waits while too much is unacknowledged."""

    def __init__(self, settings: Settings, client_id: str) -> None:
        parts = urlsplit(settings.mqtt_url)
        if parts.scheme not in DEFAULT_PORT or not parts.hostname:
            raise BrokerUrlError(
                f"GORODOK_MQTT_URL = {settings.mqtt_url!r}: write mqtt://host:port or mqtts://host:port"
            )
        self._address = (parts.hostname, parts.port or DEFAULT_PORT[parts.scheme])
        self._five = settings.mqtt_version == "5"
        self._topics: list[str] = []
        self._acked = threading.Condition()
        self._open: set[int] = set()
        self._early: set[int] = set()
        self._client = self._make(settings, client_id)
        if parts.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context(cafile=settings.mqtt_ca_file))
        if parts.username:
            password = settings.mqtt_password
            self._client.username_pw_set(unquote(parts.username), password.get_secret_value() if password else None)

    def _make(self, settings: Settings, client_id: str) -> mqtt.Client:
        protocol = mqtt.MQTTv5 if self._five else mqtt.MQTTv311
        clean = None if self._five else False
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, clean_session=clean)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(MAX_OUTSTANDING)
        client.reconnect_delay_set(1, 5)
        client.on_socket_open = _no_delay
        client.on_connect = self._connected
        client.on_publish = self._published
        return client

    def subscribe(self, topic: str, take: Callable[[str, bytes], None]) -> None:
        """Before `start`: taken up again at each connection. `take` runs in paho's thread."""
        self._topics.append(topic)
        self._client.message_callback_add(topic, lambda _, __, message: take(message.topic, bytes(message.payload)))

    def start(self) -> None:
        """Returns at once; the connection is made, and made again, in paho's thread."""
        if self._five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
            self._client.connect_async(*self._address, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            self._client.connect_async(*self._address, KEEPALIVE_S)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    @property
    def outstanding(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        with self._acked:
            return len(self._open)

    def send(self, topic: str, payload: bytes) -> None:
        """QoS 1. Waits while MAX_OUTSTANDING messages are unacknowledged and the connection is up."""
        with self._acked:
            while len(self._open) >= MAX_OUTSTANDING and self.connected:
                self._acked.wait(0.2)
        self.send_now(topic, payload)

    def send_now(self, topic: str, payload: bytes) -> None:
        """QoS 1, never waits: for paho's own thread."""
        sent = self._client.publish(topic, payload, qos=1)
        if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise RuntimeError(f"cannot queue a message for {topic}: {mqtt.error_string(sent.rc)}")
        with self._acked:
            if sent.mid in self._early:
                self._early.discard(sent.mid)
            else:
                self._open.add(sent.mid)

    def wait_acked(self, timeout_s: float) -> bool:
        """True when the broker has acknowledged everything in time."""
        end = time.monotonic() + timeout_s
        with self._acked:
            while self._open and (left := end - time.monotonic()) > 0:
                self._acked.wait(min(left, 0.2))
            return not self._open

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            log.warning("the broker at %s:%s refuses us: %s", *self._address, reason)
            return
        for topic in self._topics:
            client.subscribe(topic, qos=1)

    def _published(self, _: mqtt.Client, __: Any, mid: int, ___: Any, ____: Any) -> None:
        """An answer may overtake the return of `publish`: then it is remembered."""
        with self._acked:
            if mid in self._open:
                self._open.discard(mid)
            else:
                self._early.add(mid)
            self._acked.notify_all()


def _no_delay(_: mqtt.Client, __: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
