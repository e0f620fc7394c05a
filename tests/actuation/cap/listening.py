"""A subscriber of a real broker that keeps what it hears."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import paho.mqtt.client as mqtt

from city.settings import Settings
from ingest.broker.address import parse_address
from ingest.broker.client import build_client


@contextlib.contextmanager
def listening(settings: Settings, topic: str, heard: list[tuple[str, bytes]]) -> Iterator[None]:
    """heard: (topic, payload), in order. Subscribed when the block begins."""
    client = build_client(settings, "listener", mqtt.Client)
    subscribed = threading.Event()
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _, __, message: heard.append((message.topic, message.payload))
    address = parse_address(settings.mqtt_url)
    client.connect(address.host, address.port)
    client.loop_start()
    assert subscribed.wait(10)
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
