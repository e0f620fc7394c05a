"""A leak as the detection says it: since when, where, how large, how sure; changed as more is known."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Latitude, Longitude, Text, UtcTime, unit


class LeakFinding(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="leak_finding",
        grain="one row per finding and change of it",
        title_en="Leak findings",
        title_ru="Найденные утечки",
        key=("finding_id", "status", "event_time"),
        event_time="event_time",
        entity="finding_id",
        origin="platform",
        owner="water",
        behind_s=400 * 86_400,
    )

    finding_id: Identifier = Field(description="Same for one leak while it runs")
    event_time: UtcTime = Field(description="Time of the data that this statement rests on")
    status: Literal["open", "closed"] = Field(description="closed: the flows say that it runs no more")
    zone_id: Identifier | None = Field(default=None, description="District metered area")
    pipe: Identifier | None = Field(default=None, description="Pipe of the network model; none without a model")
    first_seen: UtcTime = Field(description="When it was first told")
    likely_start: UtcTime | None = Field(default=None, description="When it began, as far as flows tell")
    ended_at: UtcTime | None = Field(default=None, description="When it ended, by the flows")
    flow_m3_h: float = unit("m3/h", ge=0, le=1e5, description="How much it loses")
    flow_low_m3_h: float | None = unit(
        "m3/h", default=None, ge=0, le=1e5, description="Lower edge of the detection's 90 % band"
    )
    flow_high_m3_h: float | None = unit(
        "m3/h", default=None, ge=0, le=1e5, description="Upper edge of the detection's 90 % band"
    )
    cost_day: float | None = unit(
        "money/day", default=None, ge=0, le=1e9, description="What it costs a day, city's tariff"
    )
    confidence: Annotated[float, Field(ge=0, le=1)] = Field(description="Share of such findings that are right")
    alternatives: Text | None = Field(default=None, description="Ranked other pipes within 300 m, as JSON")
    note: Text | None = Field(default=None, description="What the evidence is")
    latitude: Latitude | None = Field(default=None, description="WGS 84 latitude of the pipe's middle")
    longitude: Longitude | None = Field(default=None, description="WGS 84 longitude of the pipe's middle")
