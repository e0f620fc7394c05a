"""Runs one controller against a broker: the only file here that knows MQTT. One thread, and it never gives up."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from device.controller import Controller, Messages

TICK_S = 0.2
SESSION_S = 3_600
"""So long the broker keeps commands for a device that is away; what has expired by then is refused anyway."""

RETRY_S = (1.0, 30.0)
"""Pause after a lost connection: doubles from the first to the second."""


@dataclass(frozen=True, slots=True)
class Broker:
    """mqtt[s]://host:port. user: of the broker; the device's id where the city made its access list."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None
    ca_file: Path | None = None

    @classmethod
    def parse(cls, url: str, user: str | None, password: str | None, ca_file: Path | None = None) -> Broker:
        """Raises ValueError for another scheme or no host."""
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError(f"{url!r}: write mqtt://host:port or mqtts://host:port")
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname, parts.port or (8883 if tls else 1883), tls, user, password, ca_file)


class Shell:
    """told: is called with (what, topic, payload) of every message in and out; for a log."""

    def __init__(
        self, controller: Controller, broker: Broker, told: Callable[[str, str, bytes], object] = lambda *_: None
    ) -> None:
        self._controller, self._broker, self._told = controller, broker, told
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=controller.identity.device_id, protocol=mqtt.MQTTv5
        )
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.on_socket_open = _nodelay
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            self._client.tls_set(ca_certs=str(broker.ca_file) if broker.ca_file else None)

    def run(self, stop: Callable[[], bool]) -> None:
        """Until `stop` says so. The controller is ticked whether there is a broker or not: leases end on time."""
        self._send(self._controller.start(time.monotonic()))
        pause, next_try, is_up = RETRY_S[0], 0.0, False
        while not stop():
            if not is_up and time.monotonic() >= next_try:
                is_up = self._connect()
                pause = RETRY_S[0] if is_up else min(pause * 2, RETRY_S[1])
                next_try = time.monotonic() + pause
            if is_up:
                is_up = self._client.loop(TICK_S) == mqtt.MQTT_ERR_SUCCESS
            else:
                time.sleep(TICK_S)
            self._send(self._controller.tick(time.monotonic()))
        self._client.disconnect()

    def _connect(self) -> bool:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_S
        try:
            self._client.connect(
                self._broker.host, self._broker.port, keepalive=15, clean_start=False, properties=session
            )
        except OSError as error:
            self._told("broker", f"{self._broker.host}:{self._broker.port}", str(error).encode())
            return False
        return True

    def _connected(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._told("broker", f"{self._broker.host}:{self._broker.port}", str(reason).encode())
        if not reason.is_failure:
            client.subscribe(list(self._controller.identity.listens()))

    def _message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        self._told("in", message.topic, payload)
        self._send(self._controller.take(message.topic, payload, time.monotonic()))

    def _send(self, messages: Messages) -> None:
        for topic, payload in messages:
            self._told("out", topic, payload)
            self._client.publish(topic, payload, qos=1)


def _nodelay(client: mqtt.Client, userdata: Any, sock: Any) -> None:
    """Small packets leave at once: an answer waits up to 40 ms otherwise."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
