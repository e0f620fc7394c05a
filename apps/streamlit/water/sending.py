"""The page's one way out: contracts by MQTT to the gateway, as any device's message goes. Nothing is written here.

Not the reflex API: its events start scenarios, and a work order must also be landed; one message does both, because the
gateway hands incidents on. The only module of the pages that may import ingest.publish (.importlinter).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.contracts import Contract
from ingest.publish import NotDeliveredError, Publisher

LOG = logging.getLogger(__name__)
PUBLISHER = "water-page"
STALL_S = 8.0


class NotSentError(Exception):
    """Nobody is sure to have it: press again (the same order is one order)."""


def send(settings: Settings, messages: Sequence[Contract]) -> None:
    """Returns when the broker has every message and somebody heard it. Raises NotSentError."""
    try:
        with Publisher(settings, stall_s=STALL_S) as publisher:
            for message in messages:
                publisher.publish(message.spec.code, PUBLISHER, message.model_dump_json(exclude_none=True).encode())
            totals = publisher.drain(STALL_S)
    except (BrokerUnreachableError, NotDeliveredError, ValueError) as error:
        LOG.warning("not sent: %s", error)
        raise NotSentError(str(error)) from error
    if totals.unheard:
        raise NotSentError("the broker took it, and no gateway listens: start gorodok gateway")
