"""What an inspector found at a meter; flows back into the checks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Text, UtcTime, personal, unit


class MeterVisit(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="meter_visit",
        grain="one row per visit to a meter or house",
        title_en="Meter visits",
        title_ru="Обходы счётчиков",
        key=("visit_id",),
        event_time="event_time",
        entity="visit_id",
        origin="device",
        owner="water",
        behind_s=30 * 86_400,
    )

    visit_id: Identifier = Field(description="Made by the phone, so that a repeated sync is one visit")
    event_time: UtcTime = Field(description="When the inspector was there, by the phone's clock")
    meter_id: Identifier | None = Field(default=None, description="Meter; none: the visit was to the house as a whole")
    house_id: Identifier | None = Field(default=None, description="House of the city's register")
    zone_id: Identifier | None = Field(default=None, description="District metered area")
    result: Literal["ok", "dead", "replaced", "repaired", "unmetered_use", "seal_broken", "no_access", "other"] = Field(
        description="ok: meter works; dead: stands still under flow; unmetered_use: water taken past the meter"
    )
    reading_m3: float | None = unit("m3", default=None, ge=0, le=1e9, description="Counter as the inspector read it")
    inspector: Identifier | None = personal(default=None, description="Who was there")
    note: Text | None = personal(default=None, description="The inspector's words")
    photos: list[Annotated[str, Field(max_length=512)]] = Field(
        default=[], max_length=20, description="References of photos, never the pictures themselves"
    )
