"""One attempt to hand a signed alert to a receiver: accepted or not, within its time, whatever the other side does."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
import uuid
from typing import Any

import httpx
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from actuation.cap.out.receivers import Mqtt, Webhook
from ingest.broker.address import parse_address
from ingest.broker.client import is_refused, set_nodelay

TYPE = "application/cap+xml"
USER_AGENT = "gorodok/0.1 (CAP sender)"
MAX_ANSWER = 4_096
NO_MATCHING_SUBSCRIBERS = 0x10


def send(receiver: Webhook | Mqtt, document: bytes) -> tuple[bool, str]:
    """(accepted, the receiver's words). Never raises for what the other side does."""
    if isinstance(receiver, Webhook):
        return asyncio.run(_post(receiver, document))
    return _publish(receiver, document)


async def _post(receiver: Webhook, document: bytes) -> tuple[bool, str]:
    """httpx async, because then one deadline cuts everything: a server that hangs, or drips its answer."""
    headers = {"Content-Type": TYPE, "User-Agent": USER_AGENT, **receiver.headers}
    try:
        async with (
            asyncio.timeout(receiver.timeout_s),
            httpx.AsyncClient(timeout=receiver.timeout_s, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", receiver.url, content=document, headers=headers) as response,
        ):
            size = 0
            async for chunk in response.aiter_raw():  # a body that breaks off is no acceptance
                size += len(chunk)
                if size > MAX_ANSWER:
                    break
            return response.is_success, f"HTTP {response.status_code}"
    except TimeoutError:
        return False, f"no whole answer within {receiver.timeout_s:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError, ValueError) as error:
        return False, f"{type(error).__name__}: {str(error)[:300]}"


def _publish(receiver: Mqtt, document: bytes) -> tuple[bool, str]:
    try:
        address = parse_address(receiver.url)
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"gorodok-cap-{uuid.uuid4().hex[:12]}", protocol=mqtt.MQTTv5
        )
        client.on_socket_open = set_nodelay
        client.connect_timeout = receiver.timeout_s
        if address.user is not None:
            client.username_pw_set(address.user, receiver.password or None)
        if address.tls:
            client.tls_set(ca_certs=receiver.ca_file)
        client.connect(address.host, address.port, keepalive=30)
    except (OSError, ValueError) as error:
        return False, f"{type(error).__name__}: {str(error)[:300]}"
    return _acknowledged(client, receiver, document)


def _acknowledged(client: mqtt.Client, receiver: Mqtt, document: bytes) -> tuple[bool, str]:
    answered = threading.Event()
    told: list[tuple[bool, str]] = []

    def say(accepted: bool, words: str) -> None:
        told.append((accepted, words))
        answered.set()

    def on_connect(_: mqtt.Client, __: Any, ___: Any, reason: Any, ____: Any = None) -> None:
        if is_refused(reason):
            say(False, f"the broker refused us: {reason}")
        else:
            client.publish(receiver.topic, document, qos=1, retain=receiver.retain)

    def on_publish(_: mqtt.Client, __: Any, ___: int, reason: Any, ____: Any = None) -> None:
        if is_refused(reason):
            say(False, f"the broker refused the alert: {reason}")
        elif getattr(reason, "value", 0) == NO_MATCHING_SUBSCRIBERS and not receiver.retain:
            say(False, "the broker took it, and nobody listens to the topic")
        else:
            say(True, f"PUBACK: {reason}")

    client.on_connect, client.on_publish = on_connect, on_publish
    client.loop_start()
    try:
        ends = time.monotonic() + receiver.timeout_s
        answered.wait(max(0.0, ends - time.monotonic()))
        return told[0] if told else (False, f"no acknowledgement within {receiver.timeout_s:g} s")
    finally:
        client.disconnect()
        client.loop_stop()
