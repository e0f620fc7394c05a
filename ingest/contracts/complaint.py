"""A resident's request and every change of it: Open311 GeoReport v2 plus executor, deadline and cost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import (
    Contract,
    FeedSpec,
    Identifier,
    Latitude,
    Longitude,
    Text,
    UtcTime,
    personal,
    unit,
)


class Complaint(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="complaint",
        grain="one row per service request and update of it",
        title_en="Residents' requests",
        title_ru="Обращения жителей",
        key=("service_request_id", "updated_datetime", "status"),
        event_time="updated_datetime",
        entity="service_request_id",
        origin="service",
        owner="appeals",
        freshness_s=86_400,
        ahead_s=300,
        behind_s=30 * 86_400,
    )

    service_request_id: Identifier = Field(description="GeoReport v2 service_request_id")
    status: Literal["open", "closed"] = Field(description="GeoReport v2 status")
    service_code: Identifier = Field(description="GeoReport v2 service_code")
    requested_datetime: UtcTime = Field(description="When the resident asked")
    updated_datetime: UtcTime = Field(description="When the request last changed; equals requested_datetime when new")
    service_name: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Human name of the service"
    )
    status_notes: Text | None = personal(default=None, description="Why the status is what it is")
    description: Text | None = personal(default=None, description="The resident's words")
    agency_responsible: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="Who must act")
    service_notice: Text | None = Field(default=None, description="What the resident was told to expect")
    expected_datetime: UtcTime | None = Field(default=None, description="Promised date of completion")
    address: Annotated[str, Field(max_length=1_024)] | None = personal(default=None, description="Address as written")
    address_id: Identifier | None = Field(default=None, description="Address of the city's register")
    zipcode: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="Postal code")
    lat: Latitude | None = Field(default=None, description="GeoReport v2 lat")
    long: Longitude | None = Field(default=None, description="GeoReport v2 long")
    media_url: Annotated[str, Field(max_length=2_048)] | None = Field(default=None, description="Photo")
    executor: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="Contractor or crew")
    deadline: UtcTime | None = Field(default=None, description="Norm of the city for this service")
    cost_rub: float | None = unit("RUB", default=None, ge=0, le=1e10, description="Cost of the work")
    channel: Literal["web", "phone", "telegram", "walk_in", "camera", "sensor", "other"] | None = Field(
        default=None, description="How the request came"
    )
