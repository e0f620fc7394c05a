"""Work that a contractor was asked to do on the network: made from a finding, followed to its end and its cost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Latitude, Longitude, Text, UtcTime, personal, unit


class WorkOrder(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="work_order",
        grain="one row per work order and change of it",
        title_en="Work orders",
        title_ru="Наряды на работы",
        key=("order_id", "stage", "event_time"),
        event_time="event_time",
        entity="order_id",
        origin="platform",
        owner="water",
    )

    order_id: Identifier = Field(description="Same for one piece of work, so that ordering it twice orders it once")
    event_time: UtcTime = Field(description="When this change happened")
    stage: Literal["ordered", "accepted", "on_site", "done", "checked", "cancelled"] = Field(
        description="done: the contractor says so; checked: the flows or a person say so"
    )
    kind: Literal["leak_repair", "leak_search", "meter_replace", "meter_visit", "valve", "other"] = Field(
        description="What is to be done"
    )
    finding_id: Identifier | None = Field(default=None, description="Leak finding that it was made from")
    incident_id: Identifier | None = Field(default=None, description="Incident that it ends")
    contractor: Identifier = Field(description="Who is to do it")
    zone_id: Identifier | None = Field(default=None, description="District metered area")
    place: Annotated[str, Field(max_length=512)] = Field(description="Pipe, address or house; in words for a crew")
    ordered_at: UtcTime = Field(description="When it was ordered")
    deadline_at: UtcTime = Field(description="By the city's norm")
    done_at: UtcTime | None = Field(default=None, description="When the work was finished")
    cost_rub: float | None = unit("RUB", default=None, ge=0, le=1e10, description="What it cost")
    photos: list[Annotated[str, Field(max_length=512)]] = Field(
        default=[], max_length=50, description="References of photos, never the pictures themselves"
    )
    note: Text | None = Field(default=None, description="What was found and done")
    ordered_by: Identifier | None = personal(default=None, description="Who pressed the button")
    latitude: Latitude | None = Field(default=None, description="WGS 84 latitude, where it has a place")
    longitude: Longitude | None = Field(default=None, description="WGS 84 longitude, where it has a place")
