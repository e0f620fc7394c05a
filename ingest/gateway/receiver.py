"""The gateway's connection: from MQTT messages to the intake, and acknowledgements back once they are durable."""

from __future__ import annotations

import functools
import logging
import threading
from collections import deque
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.settings import Settings
from ingest.broker.address import parse_address
from ingest.broker.client import MAX_INFLIGHT, build_client
from ingest.gateway.link import Link
from ingest.intake import Intake
from ingest.parcel import Parcel
from ingest.topics import feed_of, subscription

log = logging.getLogger(__name__)

SESSION_EXPIRY_S = 7 * 86_400
"""How long the broker is asked to keep the gateway's session, and what comes for it, while it is away."""
KEEPALIVE_S = 30


class Receiver:
    """Subscribes to the city's topics with a persistent session and manual acknowledgement."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._settings = settings
        self._intake = intake
        self._topic = subscription(settings.city, settings.gateway_group)
        # a packet id means one message within one connection only: an acknowledgement that was due before a
        # reconnect could otherwise confirm another message that has the same id now
        self._generation = 0
        self._acking = threading.Lock()
        self._due: deque[tuple[int, int]] = deque()
        self._client = build_client(settings, settings.gateway_id, persistent=True, manual_ack=True, kind=Link)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.take = self._take
        self._client.on_message = self._on_message
        self.connected = threading.Event()
        self.reason: str | None = "not connected yet"

    def start(self) -> None:
        """Connects in the background and keeps trying; the broker may come later than the gateway."""
        try:
            self._connect()
        except OSError as error:
            self.reason = f"{self._settings.mqtt_url}: {error}"
            log.warning("broker does not answer, trying on: %s", self.reason)
        self._client.loop_start()

    def _connect(self) -> None:
        address = parse_address(self._settings.mqtt_url)
        if self._settings.mqtt_version == "3.1.1":
            self._client.connect(address.host, address.port, keepalive=KEEPALIVE_S)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = MAX_INFLIGHT
        self._client.connect(
            address.host, address.port, keepalive=KEEPALIVE_S, clean_start=False, properties=properties
        )

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self) -> None:
        """Sends the acknowledgements that are due, all together. Call it after a flush."""
        due = [self._due.popleft() for _ in range(len(self._due))]
        with self._acking:
            self._client.ack_all(mid for generation, mid in due if generation == self._generation)

    def _on_connect(self, client: mqtt.Client, _user: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self.reason = f"the broker refused the connection: {code}"
            log.error("%s", self.reason)
            return
        with self._acking:
            self._generation += 1
        client.subscribe(self._topic, qos=1)
        self.reason = None
        self.connected.set()
        log.info("connected to %s, subscribed to %s", self._settings.mqtt_url, self._topic)

    def _on_disconnect(self, _client: mqtt.Client, _user: Any, _flags: Any, code: Any, _properties: Any) -> None:
        with self._acking:
            self._generation += 1
        self.connected.clear()
        self.reason = f"disconnected: {code}"
        log.warning("%s", self.reason)

    def _on_message(self, _client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        """paho's own way, over TLS."""
        self._take(bytes(message._topic), bytes(message.payload), message.mid, message.qos)

    def _take(self, topic: bytes, payload: bytes, mid: int, qos: int) -> None:
        name, feed = _named(topic)
        ack = functools.partial(self._due.append, (self._generation, mid)) if qos else None
        self._intake.submit(Parcel(feed, name, payload), ack)


@functools.lru_cache(maxsize=65_536)
def _named(topic: bytes) -> tuple[str, str]:
    """(topic, feed); a broker may pass on a topic that is no UTF-8, and an exception here would end paho's thread."""
    name = topic.decode(errors="replace")
    return name, feed_of(name)
