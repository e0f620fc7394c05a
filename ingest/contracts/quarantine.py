"""What was refused: the original bytes, where they came from and why."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Text, UtcTime


class Quarantine(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="quarantine",
        grain="one row per refused message, or per refused item of a batched message",
        title_en="Quarantine",
        title_ru="Карантин",
        key=("quarantine_id", "retried_at"),
        event_time="refused_at",
        entity="quarantine_id",
        origin="platform",
        owner="platform",
        live=False,
    )

    quarantine_id: Identifier = Field(
        description="Digest of feed, topic and bytes (of the item, for a batch): a repeat is the same row"
    )
    feed: Identifier = Field(description="Feed that it was meant for; `unknown` when the topic names none")
    topic: Annotated[str, Field(max_length=70_000)] = Field(description="MQTT topic, or adapter and address")
    refused_at: UtcTime = Field(description="When it was refused")
    reason: Text = Field(description="What is wrong, with the remedy where there is one")
    field: Annotated[str, Field(max_length=1_024)] | None = Field(default=None, description="Field that is wrong")
    value: Text | None = Field(default=None, description="What stood in it")
    payload: bytes = Field(description="The original bytes")
    retried_at: UtcTime | None = Field(default=None, description="Set on the row that says a retry succeeded")
