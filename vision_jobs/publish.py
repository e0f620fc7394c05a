"""Camera events by MQTT to the gateway, like any device's: one array per frame, QoS 1."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from ingest.contracts.camera_event import CameraEvent
from ingest.publish import Publisher

FEED = CameraEvent.spec.code
_EVENTS = TypeAdapter(list[CameraEvent])


def payload_of(events: Sequence[CameraEvent]) -> bytes:
    return _EVENTS.dump_json(list(events), exclude_none=True)


def publish_to(publisher: Publisher, camera_id: str, events: Sequence[CameraEvent]) -> None:
    """Published as the camera: the topic's last part is its id."""
    publisher.publish(FEED, camera_id, payload_of(events))
