"""What a camera's software saw: one finding with its class, confidence, box and evidence."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Latitude, Longitude, Sequence, UtcTime

Share = Annotated[float, Field(ge=0, le=1)]


class CameraEvent(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="camera_event",
        grain="one row per camera and finding",
        title_en="Camera events",
        title_ru="События с камер",
        key=("camera_id", "event_id"),
        event_time="event_time",
        entity="camera_id",
        origin="device",
        owner="safety",
        freshness_s=3_600,
        behind_s=3_600,
        sequence=("boot_id", "sequence"),
    )

    event_id: Identifier = Field(description="Unique within the camera")
    camera_id: Identifier = Field(description="Camera of the city's register")
    site_id: Identifier = Field(description="Place that the camera watches: waste site, crossing, yard")
    event_time: UtcTime = Field(description="Time of the frame, by the camera's clock")
    class_name: Identifier = Field(description="What was seen: waste_full, waste_beside, person, dog, drone, …")
    confidence: Share = Field(description="The model's score, 0…1; calibrated where `calibrated` says so")
    calibrated: bool = Field(default=False, description="Confidence is a measured probability")
    box_x: Share | None = Field(default=None, description="Left edge, share of the frame's width")
    box_y: Share | None = Field(default=None, description="Top edge, share of the frame's height")
    box_w: Share | None = Field(default=None, description="Width, share of the frame's width")
    box_h: Share | None = Field(default=None, description="Height, share of the frame's height")
    frame_ref: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Evidence frame: path or object key, never the picture itself"
    )
    frame_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Digest of the evidence frame"
    )
    track_id: Identifier | None = Field(default=None, description="Same object over frames")
    model: Identifier | None = Field(default=None, description="Weights that decided, name and version")
    latitude: Latitude | None = Field(default=None, description="WGS 84 latitude of the finding")
    longitude: Longitude | None = Field(default=None, description="WGS 84 longitude of the finding")
    boot_id: Identifier | None = Field(default=None, description="New at every start of the camera's software")
    sequence: Sequence | None = Field(default=None, description="Counts up by one within a boot")
