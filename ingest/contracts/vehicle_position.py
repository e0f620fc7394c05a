"""Where a vehicle of the city is: buses, trams, and later ploughs and garbage trucks.

Names and meanings are GTFS-Realtime's VehiclePosition (gtfs.org/realtime/reference, "VehiclePosition");
a field with a unit carries it in its name.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import (
    Contract,
    FeedSpec,
    Identifier,
    Latitude,
    Longitude,
    Sequence,
    UtcTime,
    personal,
    unit,
)


class VehiclePosition(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="vehicle_position",
        grain="one row per vehicle and GPS fix",
        title_en="Vehicle positions",
        title_ru="Положение транспорта",
        key=("vehicle_id", "timestamp"),
        event_time="timestamp",
        entity="vehicle_id",
        origin="device",
        owner="transit",
        freshness_s=120,
        behind_s=600,
        sequence=("boot_id", "sequence"),
    )

    vehicle_id: Identifier = Field(description="GTFS-RT vehicle.id")
    timestamp: UtcTime = Field(description="Time of the fix by the vehicle's clock (GTFS-RT timestamp)")
    latitude: Latitude = Field(description="WGS 84 latitude")
    longitude: Longitude = Field(description="WGS 84 longitude")
    bearing_deg: float | None = unit("deg", default=None, ge=0, le=360, description="Clockwise from north")
    speed_m_s: float | None = unit("m/s", default=None, ge=0, le=70, description="Momentary speed")
    odometer_m: float | None = unit("m", default=None, ge=0, description="Distance run")
    trip_id: Identifier | None = Field(default=None, description="GTFS trip")
    route_id: Identifier | None = Field(default=None, description="GTFS route")
    direction_id: Annotated[int, Field(ge=0, le=1)] | None = Field(default=None, description="GTFS direction")
    trip_headsign: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="What the vehicle shows"
    )
    start_date: Annotated[str, Field(pattern=r"^\d{8}$")] | None = Field(
        default=None, description="Service day, YYYYMMDD"
    )
    start_time: Annotated[str, Field(pattern=r"^\d{1,3}:\d\d:\d\d$")] | None = Field(
        default=None, description="Scheduled start of the trip, HH:MM:SS"
    )
    stop_id: Identifier | None = Field(default=None, description="GTFS stop that current_status speaks of")
    current_stop_sequence: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(
        default=None, description="GTFS stop_sequence that current_status speaks of"
    )
    current_status: Literal["INCOMING_AT", "STOPPED_AT", "IN_TRANSIT_TO"] | None = Field(
        default=None, description="GTFS-RT VehicleStopStatus"
    )
    schedule_relationship: (
        Literal["SCHEDULED", "ADDED", "UNSCHEDULED", "CANCELED", "REPLACEMENT", "DUPLICATED", "NEW", "DELETED"] | None
    ) = Field(default=None, description="GTFS-RT TripDescriptor.ScheduleRelationship")
    congestion_level: (
        Literal["UNKNOWN_CONGESTION_LEVEL", "RUNNING_SMOOTHLY", "STOP_AND_GO", "CONGESTION", "SEVERE_CONGESTION"] | None
    ) = Field(default=None, description="GTFS-RT CongestionLevel")
    occupancy_status: (
        Literal[
            "EMPTY",
            "MANY_SEATS_AVAILABLE",
            "FEW_SEATS_AVAILABLE",
            "STANDING_ROOM_ONLY",
            "CRUSHED_STANDING_ROOM_ONLY",
            "FULL",
            "NOT_ACCEPTING_PASSENGERS",
            "NO_DATA_AVAILABLE",
            "NOT_BOARDABLE",
        ]
        | None
    ) = Field(default=None, description="GTFS-RT OccupancyStatus")
    vehicle_label: Annotated[str, Field(max_length=128)] | None = Field(default=None, description="Number on the side")
    license_plate: Annotated[str, Field(max_length=32)] | None = personal(
        default=None, description="State number plate"
    )
    boot_id: Identifier | None = Field(default=None, description="New at every start of the tracker")
    sequence: Sequence | None = Field(default=None, description="Counts up by one within a boot")
