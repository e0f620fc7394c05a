"""A paho client with the settings' version, user and TLS, and with TCP_NODELAY on its socket.

paho leaves Nagle's algorithm on: a signed reflex at 1,000/s then has a p50 of 2.3 s instead of 0.6 ms
(measured). It also ignores the broker's Receive Maximum, for which mosquitto cuts the connection.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from city.settings import Settings
from ingest.broker.address import BrokerAddress, parse_address

C = TypeVar("C", bound=mqtt.Client)

MAX_INFLIGHT = 1_000
"""QoS 1 messages under way at once; paho's own 20 throttles a fast publisher to 20 a round trip."""


class BrokerUnreachableError(ConnectionError):
    """No broker accepts us at the address; the message says which address and what to do."""

    def __init__(self, address: BrokerAddress, why: str) -> None:
        super().__init__(
            f"broker {address}: {why}. Start one (`python -m ingest.broker`, `gorodok demo`, or mosquitto with "
            "deploy/mosquitto.conf) or set GORODOK_MQTT_URL"
        )
        self.address = address


def build_client(
    settings: Settings,
    client_id: str,
    kind: type[C],
    *,
    persistent: bool = False,
    manual_ack: bool = False,
) -> C:
    """An unconnected client. persistent: for MQTT 3.1.1 only; with MQTT 5 say so in `connect` (clean_start).

    kind: paho's client, or a subclass as the gateway's.
    """
    address = parse_address(settings.mqtt_url)
    five = settings.mqtt_version == "5"
    client = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
        clean_session=None if five else not persistent,
        manual_ack=manual_ack,
    )
    client.on_socket_open = set_nodelay
    client.max_inflight_messages_set(MAX_INFLIGHT)
    password = settings.mqtt_password.get_secret_value() if settings.mqtt_password else None
    if address.user is not None:
        client.username_pw_set(address.user, password)
    if address.tls:
        client.tls_set(ca_certs=str(settings.mqtt_ca_file) if settings.mqtt_ca_file else None)
    return client


def set_nodelay(client: mqtt.Client, userdata: Any, sock: Any) -> None:
    """paho's `on_socket_open`: small packets leave at once."""
    with contextlib.suppress(OSError, AttributeError):  # a Unix socket has no Nagle
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def window(properties: Properties | None) -> int:
    """Unacknowledged QoS 1 messages that the broker takes at once, from its CONNACK (MQTT 5, 3.2.2.3.3).

    paho cannot be told after it has connected, so who publishes fast waits by itself when so many are under way.
    """
    return min(MAX_INFLIGHT, getattr(properties, "ReceiveMaximum", MAX_INFLIGHT))


def is_refused(reason: ReasonCode | int) -> bool:
    """True when a CONNACK or PUBACK says no (paho gives a ReasonCode in both protocol versions)."""
    return bool(reason.is_failure) if isinstance(reason, ReasonCode) else reason != 0
