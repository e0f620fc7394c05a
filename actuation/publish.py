"""Contracts out by MQTT: commands to devices, incidents to the gateway. Returns when the broker has every message."""

from __future__ import annotations

from collections.abc import Sequence

from city.settings import Settings
from ingest.contracts import Contract
from ingest.contracts.device_command import DeviceCommand
from ingest.publish import Publisher, PublishTotals

PUBLISHER = "orchestration"
"""Last part of the topic of what is not addressed to a device."""

STALL_S = 15.0


def publish(settings: Settings, messages: Sequence[Contract], *, stall_s: float = STALL_S) -> PublishTotals:
    """QoS 1, one connection for all; empty: nothing is opened.

    Raises ingest.broker.client.BrokerUnreachable, or ingest.publish.NotDelivered when a PUBACK does not come.
    """
    if not messages:
        return PublishTotals()
    with Publisher(settings, stall_s=stall_s) as publisher:
        for message in messages:
            payload = message.model_dump_json(exclude_none=True).encode()
            publisher.publish(message.spec.code, _last_part(message), payload)
        return publisher.drain(stall_s)


def _last_part(message: Contract) -> str:
    return message.device_id if isinstance(message, DeviceCommand) else PUBLISHER
