"""What a device answered to a command."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, UtcTime


class DeviceAnswer(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="device_answer",
        grain="one row per device, command and attempt",
        title_en="Devices' answers",
        title_ru="Ответы устройств",
        key=("device_id", "command_id", "attempt"),
        event_time="answered_at",
        entity="command_id",
        origin="device",
        owner="situation_centre",
    )

    command_id: Identifier = Field(description="The command it answers")
    attempt: Annotated[int, Field(ge=1, le=100)] = Field(description="The attempt it answers")
    device_id: Identifier = Field(description="Who answers")
    answered_at: UtcTime = Field(description="By the device's clock")
    result: Literal["done", "would_do", "refused", "failed"] = Field(
        description="done: acted; would_do: a drill; refused: did not accept; failed: accepted and could not"
    )
    reason: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="Why, when not done")
