"""A public warning: OASIS Common Alerting Protocol 1.2 (docs.oasis-open.org/emergency/cap/v1.2), field by field."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Part, Text, UtcTime

Short = Annotated[str, Field(max_length=1_024)]
Category = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]


class NamedValue(Part):
    """CAP's <parameter>, <eventCode> and <geocode>."""

    valueName: Short
    value: Text


class Resource(Part):
    """CAP 1.2 section 3.2.3 (derefUri is not kept: the bytes stay in the archive of originals)."""

    resourceDesc: Short
    mimeType: Short | None = None
    size: int | None = None
    uri: Text | None = None
    digest: Short | None = None


class Area(Part):
    """CAP 1.2 section 3.2.4; polygons and circles stay in CAP's own text form, "lat,lon lat,lon …"."""

    areaDesc: Text
    polygon: list[str] = []
    circle: list[str] = []
    geocode: list[NamedValue] = []
    altitude: float | None = None
    ceiling: float | None = None


class Info(Part):
    """CAP 1.2 section 3.2.2."""

    language: Short = "en-US"
    category: list[Category] = Field(min_length=1)
    event: Short
    responseType: list[
        Literal["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"]
    ] = []
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
    severity: Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
    certainty: Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
    audience: Text | None = None
    eventCode: list[NamedValue] = []
    effective: UtcTime | None = None
    onset: UtcTime | None = None
    expires: UtcTime | None = None
    senderName: Short | None = None
    headline: Text | None = None
    description: Annotated[str, Field(max_length=100_000)] | None = None
    instruction: Annotated[str, Field(max_length=100_000)] | None = None
    web: Text | None = None
    contact: Text | None = None
    parameter: list[NamedValue] = []
    resource: list[Resource] = []
    area: list[Area] = []


class Alert(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="alert",
        grain="one row per CAP message (sender, identifier, sent)",
        title_en="Public alerts",
        title_ru="Оповещения",
        key=("sender", "identifier", "sent"),
        event_time="sent",
        entity="identifier",
        origin="service",
        owner="safety",
        behind_s=86_400,
    )

    identifier: Identifier = Field(description="CAP 1.2 <identifier>, unique for the sender")
    sender: Identifier = Field(description="CAP 1.2 <sender>")
    sent: UtcTime = Field(description="CAP 1.2 <sent>")
    status: Literal["Actual", "Exercise", "System", "Test", "Draft"] = Field(description="CAP 1.2 <status>")
    msgType: Literal["Alert", "Update", "Cancel", "Ack", "Error"] = Field(description="CAP 1.2 <msgType>")
    scope: Literal["Public", "Restricted", "Private"] = Field(description="CAP 1.2 <scope>")
    cap_source: Text | None = Field(
        default=None, description="CAP 1.2 <source>; `source` itself is the envelope's column"
    )
    restriction: Text | None = Field(default=None, description="CAP 1.2 <restriction>")
    addresses: Text | None = Field(default=None, description="CAP 1.2 <addresses>")
    code: list[str] = Field(default=[], description="CAP 1.2 <code>")
    note: Text | None = Field(default=None, description="CAP 1.2 <note>")
    references: Text | None = Field(default=None, description="CAP 1.2 <references>: sender,identifier,sent …")
    incidents: Text | None = Field(default=None, description="CAP 1.2 <incidents>")
    info: list[Info] = Field(default=[], description="CAP 1.2 <info>, one a language or a hazard")
