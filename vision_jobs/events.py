"""Detections → `camera_event` messages. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ingest.contracts.camera_event import CameraEvent
from vision_jobs.camera import Camera
from vision_jobs.detector import Detection
from vision_jobs.evidence import Evidence
from vision_jobs.frame import Frame

BOX_DIGITS = 3
"""A thousandth of the frame: finer digits differ between machines and would make a second event of the same box."""


def to_events(
    detections: Iterable[Detection], frame: Frame, camera: Camera, model: str, evidence: Evidence | None = None
) -> list[CameraEvent]:
    """One event per object in the frame. The same frame, class and box always give the same `event_id`, so what is
    detected again is a duplicate and not a second event. boot_id and sequence stay empty: a rerun would change them.
    """
    events: dict[str, CameraEvent] = {}
    for found in detections:
        event = _event(found, frame, camera, model, evidence)
        events.setdefault(event.event_id, event)  # two equal boxes of a class are one object
    return list(events.values())


def event_id(frame_digest: str, found: Detection) -> str:
    """32 hex digits of SHA-256 over frame, class and box; the confidence is left out."""
    box = ",".join(f"{side:.{BOX_DIGITS}f}" for side in (found.x, found.y, found.width, found.height))
    return hashlib.sha256(f"{frame_digest}|{found.class_name}|{box}".encode()).hexdigest()[:32]


def _event(found: Detection, frame: Frame, camera: Camera, model: str, evidence: Evidence | None) -> CameraEvent:
    return CameraEvent(
        event_id=event_id(frame.digest, found),
        camera_id=camera.camera_id,
        site_id=camera.site_id,
        event_time=frame.taken_at,
        class_name=found.class_name,
        confidence=round(found.confidence, 4),
        box_x=round(found.x, BOX_DIGITS),
        box_y=round(found.y, BOX_DIGITS),
        box_w=round(found.width, BOX_DIGITS),
        box_h=round(found.height, BOX_DIGITS),
        frame_ref=evidence.ref if evidence else None,
        frame_sha256=evidence.sha256 if evidence else None,
        model=model,
        latitude=camera.latitude,
        longitude=camera.longitude,
    )
