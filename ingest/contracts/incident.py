"""Something that a person must look at: opened by a sensor, a check or a run that failed; closed by an update."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Latitude, Longitude, Text, UtcTime


class Incident(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="incident",
        grain="one row per incident and change of it",
        title_en="Incidents",
        title_ru="Инциденты",
        key=("incident_id", "status", "event_time"),
        event_time="event_time",
        entity="incident_id",
        origin="platform",
        owner="situation_centre",
    )

    incident_id: Identifier = Field(description="Same for one trouble, so that raising it twice opens it once")
    event_time: UtcTime = Field(description="When this change happened")
    status: Literal["open", "closed"] = Field(description="open until the cause is gone")
    kind: Literal[
        "feed_silent", "command_unanswered", "run_failed", "check_failed", "camera", "alert", "water_leak", "other"
    ] = Field(description="What sort of trouble")
    severity: Literal["critical", "major", "minor"] = Field(description="How soon a person must look")
    subject: Identifier = Field(description="Feed, device, site or run that it is about")
    title: Annotated[str, Field(max_length=512)] = Field(description="One line, for a person")
    detail: Text | None = Field(default=None, description="What happened and what to do")
    latitude: Latitude | None = Field(default=None, description="WGS 84 latitude, where it has a place")
    longitude: Longitude | None = Field(default=None, description="WGS 84 longitude, where it has a place")
