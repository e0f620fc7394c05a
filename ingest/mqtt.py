"""A paho client set up as every client of ours must be: TCP_NODELAY, room for many messages in flight, TLS, MQTT 5."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.settings import Settings

SESSION_EXPIRY_S = 7 * 86_400
"""How long a broker keeps a gateway's session and its messages while the gateway is away."""

MAX_INFLIGHT = 1_000
"""paho's default of 20 unacknowledged messages throttles QoS 1."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    tls: bool
    user: str | None


def parse_url(url: str) -> Address:
    """mqtt://[user@]host[:port] or mqtts://…; raises ValueError naming what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"GORODOK_MQTT_URL: {url!r} is not of the form mqtt://host:port or mqtts://host:port")
    if parts.password:
        raise ValueError("GORODOK_MQTT_URL: put the password into GORODOK_MQTT_PASSWORD, addresses end up in logs")
    tls = parts.scheme == "mqtts"
    user = unquote(parts.username) if parts.username else None
    return Address(parts.hostname, parts.port or (8883 if tls else 1883), tls, user)


def make_client(settings: Settings, client_id: str, *, persistent: bool, manual_ack: bool = False) -> mqtt.Client:
    """An unconnected client; `connect` connects it with the settings' address."""
    five = settings.mqtt_version == "5"
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
        manual_ack=manual_ack,
        clean_session=None if five else not persistent,
    )
    address = parse_url(settings.mqtt_url)
    if address.user is not None:
        secret = settings.mqtt_password
        client.username_pw_set(address.user, secret.get_secret_value() if secret else None)
    if address.tls:
        ca_file = str(settings.mqtt_ca_file) if settings.mqtt_ca_file else None
        client.tls_set(ca_certs=ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.on_socket_open = _no_delay
    client.max_inflight_messages_set(MAX_INFLIGHT)
    client.max_queued_messages_set(0)
    client.reconnect_delay_set(min_delay=1, max_delay=10)
    return client


def connect(client: mqtt.Client, settings: Settings, *, persistent: bool, keepalive_s: int = 30) -> None:
    """Connects; with `persistent` the broker keeps what comes while we are away. Raises OSError when nobody answers."""
    address = parse_url(settings.mqtt_url)
    if settings.mqtt_version == "5":
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S if persistent else 0
        properties.ReceiveMaximum = MAX_INFLIGHT
        client.connect(
            address.host, address.port, keepalive=keepalive_s, clean_start=not persistent, properties=properties
        )
    else:
        client.connect(address.host, address.port, keepalive=keepalive_s)


def _no_delay(_client: mqtt.Client, _userdata: Any, sock: Any) -> None:
    """Without it Nagle's algorithm holds small packets back: 55 ms instead of 1.4 ms at 100 messages a second."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
