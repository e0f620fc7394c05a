"""One connection of the probe: waits for every answer, with a bound on each wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.settings import Settings
from ingest.broker.address import parse_address
from ingest.broker.client import build_client, is_refused

ANSWER_S = 10.0
SESSION_S = 120
"""MQTT 5: the broker forgets a persistent session of the probe after this, should nobody remove it."""


class Session:
    """A connected client as a context. Raises ConnectionError when refused, TimeoutError when no answer comes."""

    def __init__(
        self, settings: Settings, client_id: str, *, persistent: bool = False, answer_s: float = ANSWER_S
    ) -> None:
        self.received: list[bytes] = []
        self.receive_maximum: int | None = None
        self._settings, self._persistent, self._answer_s = settings, persistent, answer_s
        self._five = settings.mqtt_version == "5"
        self._changed = threading.Condition()
        self._connected: str | None = None
        self._subscribed: bool | None = None
        self._sent = self._acked = 0
        self._client = build_client(settings, client_id, mqtt.Client, persistent=persistent)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    @classmethod
    def forget(cls, settings: Settings, client_id: str) -> None:
        """Removes a persistent session: a clean start ends it, and this one does not outlive its connection."""
        with contextlib.suppress(OSError, RuntimeError), cls(settings, client_id):
            pass

    def __enter__(self) -> Self:
        address = parse_address(self._settings.mqtt_url)
        if self._five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S if self._persistent else 0
            self._client.connect(
                address.host, address.port, keepalive=30, clean_start=not self._persistent, properties=properties
            )
        else:
            self._client.connect(address.host, address.port, keepalive=30)
        self._client.loop_start()
        answered = self.wait_for(lambda: self._connected is not None, self._answer_s)
        if not answered or self._connected != "":
            self._close()
            why = self._connected or f"no answer to CONNECT within {self._answer_s:g} s"
            raise ConnectionError(f"{address} with MQTT {self._settings.mqtt_version}: {why}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def subscribe(self, topic: str) -> None:
        self._subscribed = None
        self._client.subscribe(topic, qos=1)
        if not self.wait_for(lambda: self._subscribed is not None, self._answer_s):
            raise TimeoutError(f"no answer to SUBSCRIBE within {self._answer_s:g} s")
        if not self._subscribed:
            raise ConnectionError(f"the broker refused the subscription to {topic}")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Waits while as many are unacknowledged as the broker takes at once."""
        most = self.receive_maximum or 100
        if self._sent - self._acked >= most:
            self._wait_for_acks(most // 2)
        self._sent += 1
        self._client.publish(topic, payload, qos=1, retain=retain)

    def wait_until_acknowledged(self) -> None:
        self._wait_for_acks(0)

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def wait_until_silent(self, count: int, silence_s: float) -> None:
        """Until `count` messages have come (repeats count too), or none came for so long."""
        with self._changed:
            while (before := len(self.received)) < count:
                self._changed.wait(silence_s)
                if len(self.received) == before:
                    return

    def _wait_for_acks(self, open_ones: int) -> None:
        if not self.wait_for(lambda: self._sent - self._acked <= open_ones, self._answer_s):
            raise TimeoutError(
                f"the broker acknowledged {self._acked:,} of {self._sent:,} messages and then nothing for "
                f"{self._answer_s:g} s"
            )

    def _close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        with self._changed:
            self._connected = str(reason) if is_refused(reason) else ""
            if self._five and not self._connected:
                # not sent means 65,535 (MQTT 5, 3.2.2.3.3)
                self.receive_maximum = getattr(properties, "ReceiveMaximum", 65_535)
            self._changed.notify_all()

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any = None
    ) -> None:
        with self._changed:
            if self._connected is None:
                self._connected = f"the broker cut the line ({reason})"
            self._changed.notify_all()

    def _on_subscribe(self, client: mqtt.Client, userdata: Any, mid: int, reasons: Any, properties: Any = None) -> None:
        with self._changed:
            self._subscribed = not any(getattr(reason, "is_failure", False) for reason in reasons)
            self._changed.notify_all()

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any = None) -> None:
        with self._changed:
            self._acked += 1
            self._changed.notify_all()

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.received.append(bytes(message.payload))
            self._changed.notify_all()
