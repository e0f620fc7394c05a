"""Publishes a feed's messages to the gateway by MQTT and knows which of them the broker has accepted.

paho-mqtt because it is the one client of the project (the gateway needs its manual acknowledgement) and
speaks 3.1.1 and 5. Its callbacks run in its own thread; here they only count.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt

from city.settings import Settings
from ingest.broker.address import parse_address
from ingest.broker.client import MAX_INFLIGHT, BrokerUnreachableError, build_client, is_refused, window
from ingest.contracts import CONTRACTS

HEADER_BYTES = 16
"""At most: fixed header, topic's length, packet id, an empty property list (MQTT 5, 3.3)."""
UNLIMITED = 268_435_455
"""What MQTT itself allows; a broker that sends no Maximum Packet Size takes it."""

NO_MATCHING_SUBSCRIBERS = 0x10


class NotDeliveredError(RuntimeError):
    """The broker did not acknowledge, or refused, some messages; `totals` says how many."""

    def __init__(self, why: str, totals: PublishTotals) -> None:
        super().__init__(why)
        self.totals = totals


@dataclass(slots=True)
class PublishTotals:
    """Messages since the start. refused: PUBACK with an error. unheard: accepted while nobody subscribed
    (MQTT 5 says so; those are gone unless they were retained: the gateway has never been connected)."""

    sent: int = 0
    acked: int = 0
    refused: int = 0
    unheard: int = 0
    reconnects: int = 0
    refusal: str | None = None

    @property
    def waiting(self) -> int:
        return self.sent - self.acked - self.refused


def topic_of(city: str, feed: str, publisher_id: str) -> str:
    """`gorodok/v1/<city>/<feed>/<publisher>`; ValueError names the part that cannot be in a topic."""
    if feed not in CONTRACTS:
        raise ValueError(f"feed {feed!r} has no contract; known feeds: {', '.join(sorted(CONTRACTS))}")
    if not publisher_id or any(char in "/+#" or not char.isprintable() for char in publisher_id):
        raise ValueError(
            f"publisher_id {publisher_id!r} cannot be part of a topic; leave out / + # and control characters"
        )
    return f"gorodok/v1/{city}/{feed}/{publisher_id}"


class Publisher:
    """Publishes with QoS 1; leaving the context waits for every PUBACK. `publish` may be called from any thread.

    While the broker is away paho reconnects and repeats what was not acknowledged: delivery is at least
    once, and the contract's key removes the repeats. Raises BrokerUnreachableError when no broker answers at the
    start, NotDeliveredError when one stays away for `stall_s` seconds or refuses a message.
    """

    def __init__(
        self, settings: Settings, client_id: str | None = None, *, connect_s: float = 10.0, stall_s: float = 60.0
    ) -> None:
        """client_id: must be unique at the broker (a second one takes the first one's place); default: random."""
        self._city = settings.city
        self._address = parse_address(settings.mqtt_url)
        self._connect_s, self._stall_s = connect_s, stall_s
        self._changed = threading.Condition()
        self._totals = PublishTotals()
        self._window, self._largest = MAX_INFLIGHT, UNLIMITED
        self._wake_at = 0
        self._connected = False
        self._refused_connect: str | None = None
        self._client = build_client(settings, client_id or f"gorodok-{uuid.uuid4().hex[:12]}", mqtt.Client)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    @property
    def totals(self) -> PublishTotals:
        """A copy: what it was at this moment."""
        with self._changed:
            return replace(self._totals)

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=30)
        except OSError as error:
            raise BrokerUnreachableError(self._address, str(error)) from error
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._refused_connect is not None, self._connect_s)
        if not self._connected:
            self._stop()
            raise BrokerUnreachableError(
                self._address, self._refused_connect or f"no answer within {self._connect_s:g} s"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.drain(self._stall_s)
        finally:
            self._stop()

    def publish(self, feed: str, publisher_id: str, payload: bytes, *, retain: bool = False) -> None:
        """Hands over one message; returns before the broker has it. Waits while as many are under way as the
        broker takes at once, so memory stays flat however fast the caller is."""
        self._send(topic_of(self._city, feed, publisher_id), f"{feed} from {publisher_id}", payload, retain)

    def publish_control(self, topic: str, payload: bytes) -> None:
        """The same to a topic that is no feed's (actuation.topics): the gateway does not land it."""
        self._send(topic, topic, payload, retain=False)

    def _send(self, topic: str, name: str, payload: bytes, retain: bool) -> None:
        if len(payload) + len(topic) + HEADER_BYTES > self._largest:
            raise ValueError(
                f"{name}: {len(payload):,} bytes, and broker {self._address} takes "
                f"{self._largest:,} a packet; split the array, or raise the broker's limit"
            )
        with self._changed:
            if self._totals.waiting >= self._window:
                self._wait_for(self._window // 2, self._stall_s)
            self._totals.sent += 1
        # outside our lock: paho holds its own while it calls `_on_publish`
        self._client.publish(topic, payload, qos=1, retain=retain)

    def drain(self, timeout: float = 60.0) -> PublishTotals:
        """Waits until every message has its PUBACK; `timeout` seconds without any progress end the wait."""
        with self._changed:
            self._wait_for(0, timeout)
            if self._totals.refused:
                raise NotDeliveredError(
                    f"broker {self._address} refused {self._totals.refused} of {self._totals.sent} messages "
                    f"({self._totals.refusal}); check its access list and its largest message",
                    self._totals,
                )
            return replace(self._totals)

    def _wait_for(self, waiting: int, timeout: float) -> None:
        """With the lock held: until at most `waiting` are unacknowledged."""
        seen, deadline = self._totals.waiting, time.monotonic() + timeout
        while self._totals.waiting > waiting:
            self._wake_at = waiting
            self._changed.wait(min(1.0, timeout))
            if self._totals.waiting < seen:
                seen, deadline = self._totals.waiting, time.monotonic() + timeout
            elif time.monotonic() >= deadline:
                raise NotDeliveredError(
                    f"broker {self._address} acknowledged nothing for {timeout:g} s, {seen} messages wait; "
                    "is it running, and is its disk full?",
                    replace(self._totals),
                )

    def _stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        with self._changed:
            self._largest = getattr(properties, "MaximumPacketSize", UNLIMITED)
            if is_refused(reason):
                self._refused_connect = f"refused the connection ({reason})"
            else:
                self._window = window(properties)
                self._connected = True
            self._changed.notify_all()

    def _on_connect_fail(self, client: mqtt.Client, userdata: Any) -> None:
        with self._changed:
            self._changed.notify_all()

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any = None
    ) -> None:
        with self._changed:
            if is_refused(reason):
                self._totals.reconnects += 1

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any = None) -> None:
        with self._changed:
            if is_refused(reason):
                self._totals.refused += 1
                self._totals.refusal = str(reason)
            else:
                self._totals.acked += 1
                self._totals.unheard += getattr(reason, "value", 0) == NO_MATCHING_SUBSCRIBERS
            if self._totals.waiting <= self._wake_at:  # not at every one: waking a thread costs more than the message
                self._changed.notify_all()
