"""`gorodok pull`: alerts of sources in alert_sources.toml go to the reflex process as well, byte for byte."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Sequence

from actuation.topics import control_topic
from city.settings import Settings
from ingest.adapters.outlet import OutletError
from ingest.adapters.source import Source
from ingest.broker.client import BrokerUnreachableError
from ingest.publish import NotDeliveredError, Publisher

log = logging.getLogger(__name__)

STALL_S = 10.0


class OriginalsToReflex:
    """Publishes to ctl/cap/<source> on a connection of its own: an alert never waits behind the parsed rows."""

    def __init__(self, settings: Settings, codes: Collection[str]) -> None:
        self._settings, self._codes = settings, frozenset(codes)

    def wanted(self, source: Source) -> bool:
        return source.code in self._codes

    def submit(self, source: Source, originals: Sequence[bytes]) -> None:
        """One connection a poll that brings alerts, which is seldom."""
        topic = control_topic(self._settings.city, "cap", source.code)
        try:
            with Publisher(self._settings, f"gorodok-pull-cap-{uuid.uuid4().hex[:8]}", stall_s=STALL_S) as publisher:
                for data in originals:
                    self._publish(publisher, topic, data)
        except (BrokerUnreachableError, NotDeliveredError) as error:
            raise OutletError(f"alerts of {source.code} did not reach the broker: {error}") from error

    def _publish(self, publisher: Publisher, topic: str, data: bytes) -> None:
        try:
            publisher.publish_control(topic, data)
        except ValueError as error:  # over the broker's limit: trying again would change nothing
            log.error("an alert cannot be judged: %s", error)
