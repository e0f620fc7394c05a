"""How a fetch, a flush, a seal or a load went: failure of ingest is a table, not a log line."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Text, UtcTime, unit

Count = Annotated[int, Field(ge=0)]


class IngestOutcome(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="ingest_outcome",
        grain="one row per fetch, flush, seal or load",
        title_en="Ingest outcomes",
        title_ru="Итоги приёма данных",
        key=("outcome_id",),
        event_time="started_at",
        entity="outcome_id",
        origin="platform",
        owner="platform",
        live=False,
    )

    outcome_id: Identifier = Field(description="Random")
    stage: Literal["fetch", "flush", "seal", "load", "replay"] = Field(description="Step of the way")
    subject: Identifier = Field(description="Feed, or adapter and address for a fetch")
    started_at: UtcTime = Field(description="When the step began")
    seconds: float = unit("s", ge=0, description="How long it took")
    success: bool = Field(description="False: nothing of this step was kept")
    reason: Text | None = Field(default=None, description="Why it failed")
    steps: Count = Field(default=1, description="Flushes that went well are told once a minute, with their number")
    messages: Count = Field(default=0, description="Messages or files that came in")
    rows: Count = Field(default=0, description="Rows accepted")
    quarantined: Count = Field(default=0, description="Messages refused and kept")
    duplicates: Count = Field(default=0, description="Rows already known (load)")
    bytes: Count = Field(default=0, description="Bytes that came in or were written")
    process: Identifier = Field(description="Program, host and process id")
