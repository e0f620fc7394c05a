"""What the platform told a device to do."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, UtcTime


class DeviceCommand(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="device_command",
        grain="one row per command and attempt",
        title_en="Commands to devices",
        title_ru="Команды устройствам",
        key=("command_id", "attempt"),
        event_time="issued_at",
        entity="command_id",
        origin="platform",
        owner="situation_centre",
    )

    command_id: Identifier = Field(description="Derived from trigger, device and action: the same cause commands once")
    device_id: Identifier = Field(description="Door, lamp, siren or display of the city's register")
    action: Literal["unlock", "lock", "light_on", "light_off", "siren_on", "siren_off", "show"] = Field(
        description="What to do"
    )
    issued_at: UtcTime = Field(description="When this attempt was sent")
    expires_at: UtcTime = Field(description="A device that gets it later refuses")
    attempt: Annotated[int, Field(ge=1, le=100)] = Field(description="1 for the first try")
    mode: Literal["live", "drill"] = Field(description="drill: the device answers and nothing moves")
    trigger_feed: Identifier = Field(description="Feed whose message caused it")
    trigger_key: Identifier = Field(description="Key of that message, fields joined by |")
    text: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="For a display")
