"""Incidents out by MQTT, as any feed comes in. Returns when the broker has every message."""

from __future__ import annotations

from collections.abc import Sequence

from city.settings import Settings
from ingest.contracts.incident import Incident
from ingest.publish import Publisher, PublishTotals

PUBLISHER = "orchestration"
"""Last part of the topic."""

STALL_S = 15.0


def publish(settings: Settings, incidents: Sequence[Incident], *, stall_s: float = STALL_S) -> PublishTotals:
    """QoS 1, one connection for all; empty: nothing is opened.

    Raises ingest.broker.client.BrokerUnreachableError, or ingest.publish.NotDeliveredError when a PUBACK does not come.
    """
    if not incidents:
        return PublishTotals()
    with Publisher(settings, stall_s=stall_s) as publisher:
        for incident in incidents:
            payload = incident.model_dump_json(exclude_none=True).encode()
            publisher.publish(incident.spec.code, PUBLISHER, payload)
        return publisher.drain(stall_s)
