"""The job behind the Dagster asset: new photos of all cameras → events at the gateway, then old pictures removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from city.profile import load_city
from city.settings import Settings
from ingest.contracts.camera_event import CameraEvent
from ingest.publish import Publisher
from vision_jobs.camera import find_camera
from vision_jobs.errors import WeightsError
from vision_jobs.inbox import Inbox
from vision_jobs.photos import Photos
from vision_jobs.publish import publish_to
from vision_jobs.retention import remove_old_pictures
from vision_jobs.run import Report, Rules, look
from vision_jobs.yolo import YoloDetector


@dataclass(slots=True)
class JobReport:
    """by_camera: what was looked at. removed: pictures older than the city's `frames_days`."""

    by_camera: dict[str, Report] = field(default_factory=dict)
    removed: int = 0

    def total(self, count: str) -> int:
        return sum(getattr(report, count) for report in self.by_camera.values())


def weights_of(settings: Settings) -> Path:
    """`<home>/weights/cameras.pt`: where the job finds its weights."""
    return settings.home / "weights" / "cameras.pt"


def look_at_new_frames(settings: Settings) -> JobReport:
    """A photo counts as seen when the broker has acknowledged its events; a run that dies before repeats it, and the
    repeated events are duplicates by their ids. Raises VisionError, BrokerUnreachableError, NotDeliveredError."""
    city = load_city(settings)
    inbox = Inbox(settings.home)
    report = JobReport(removed=remove_old_pictures(settings.home, city.retention.frames_days, datetime.now(UTC).date()))
    inbox.forget_gone()
    new = inbox.new_photos()
    if not new:
        return report
    detector = _detector(settings)
    rules = Rules(evidence_home=settings.home)
    with Publisher(settings) as publisher:
        for name, photos in new.items():
            camera = find_camera(city, name)

            def send(events: list[CameraEvent], publisher: Publisher = publisher) -> None:
                publish_to(publisher, events[0].camera_id, events)

            for seen in look(Photos(photos, city.timezone), detector, camera, send, rules):
                report.by_camera[name] = seen
            publisher.drain()
            inbox.mark_seen(photos)
    return report


def _detector(settings: Settings) -> YoloDetector:
    weights = weights_of(settings)
    if not weights.is_file():
        raise WeightsError(
            f"cameras have new frames and there are no weights at {weights}",
            "put a detector's weights there that you trust; none are shipped and none are downloaded",
        )
    return YoloDetector(weights, home=settings.home / "vision" / "ultralytics")
