"""When a trip is expected at its stops: GTFS-Realtime's TripUpdate, one row a stop."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, UtcTime, unit


class TripUpdate(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="trip_update",
        grain="one row per trip, stop of the trip and statement of the feed",
        title_en="Arrival predictions",
        title_ru="Прогноз прибытия",
        key=("trip_id", "start_date", "stop_sequence", "stop_id", "timestamp"),
        event_time="timestamp",
        entity="trip_id",
        origin="service",
        owner="transit",
        freshness_s=300,
        behind_s=600,
        live=False,
    )

    trip_id: Identifier = Field(description="GTFS trip")
    timestamp: UtcTime = Field(description="When the prediction was made: TripUpdate.timestamp, else the feed header's")
    route_id: Identifier | None = Field(default=None, description="GTFS route")
    direction_id: Annotated[int, Field(ge=0, le=1)] | None = Field(default=None, description="GTFS direction")
    start_date: Annotated[str, Field(pattern=r"^\d{8}$")] | None = Field(
        default=None, description="Service day, YYYYMMDD"
    )
    start_time: Annotated[str, Field(pattern=r"^\d{1,3}:\d\d:\d\d$")] | None = Field(
        default=None, description="Scheduled start of the trip, HH:MM:SS"
    )
    vehicle_id: Identifier | None = Field(default=None, description="GTFS-RT vehicle.id")
    stop_sequence: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(default=None, description="GTFS stop_sequence")
    stop_id: Identifier | None = Field(default=None, description="GTFS stop")
    arrival_time: UtcTime | None = Field(default=None, description="Predicted arrival")
    arrival_delay_s: int | None = unit("s", default=None, ge=-86_400, le=172_800, description="Late is positive")
    departure_time: UtcTime | None = Field(default=None, description="Predicted departure")
    departure_delay_s: int | None = unit("s", default=None, ge=-86_400, le=172_800, description="Late is positive")
    trip_schedule_relationship: (
        Literal["SCHEDULED", "ADDED", "UNSCHEDULED", "CANCELED", "REPLACEMENT", "DUPLICATED", "NEW", "DELETED"] | None
    ) = Field(default=None, description="GTFS-RT TripDescriptor.ScheduleRelationship")
    stop_schedule_relationship: Literal["SCHEDULED", "SKIPPED", "NO_DATA", "UNSCHEDULED"] | None = Field(
        default=None, description="GTFS-RT StopTimeUpdate.ScheduleRelationship"
    )
