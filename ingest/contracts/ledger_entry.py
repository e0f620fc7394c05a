"""One line of the command ledger, as the reflex process copies it to the lake."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Sequence, Text, UtcTime

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["0" * 64])]

Kind = Literal[
    "seen",  # an event as the engine saw it, in evaluation order
    "created",  # a command was decided and signed
    "sent",  # the broker has it
    "acked",  # a device did it (or would do it, in a drill)
    "refused",  # a device did not accept it, with its reason
    "failed",  # a device accepted it and could not
    "expired",  # its time ended and this device had not answered
    "retried",  # sent again to a silent device
    "escalated",  # handed to a person
    "sensed",  # what the device's own sensor says
    "pressed",  # a person's button
    "notified",  # a notice was handed to a channel, or refused by it
    "published",  # an alert was handed onward
    "other",  # the process itself: lease taken, key rotated, scenario loaded
]


class LedgerEntry(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="ledger_entry",
        grain="one row per line of a command ledger",
        title_en="Command ledger",
        title_ru="Журнал команд",
        key=("ledger_id", "seq"),
        event_time="at",
        entity="entity",
        origin="platform",
        owner="situation_centre",
        live=False,
    )

    ledger_id: Identifier = Field(description="Which ledger: one a reflex process, made with its file")
    seq: Sequence = Field(description="Number of the line, from 1, without gaps")
    at: UtcTime = Field(description="When it was written, by the platform's clock")
    kind: Kind = Field(description="What happened")
    entity: Identifier = Field(description="Command, event or person that the line is about")
    mode: Literal["live", "drill", "shadow", "none"] = Field(description="none: the line is not about acting")
    command_id: Identifier | None = Field(default=None, description="The command")
    target: Identifier | None = Field(default=None, description="zone:<zone_id> or device:<device_id>")
    device_id: Identifier | None = Field(default=None, description="The device that answered, or did not")
    action: Identifier | None = Field(default=None, description="What to do")
    scenario: Identifier | None = Field(default=None, description="Scenario's code")
    version: Identifier | None = Field(default=None, description="Scenario's version")
    run_id: Identifier | None = Field(default=None, description="One activation of a scenario")
    trigger_kind: Identifier | None = Field(default=None, description="Kind of the event that caused it")
    trigger_key: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="Key of that event")
    by: Identifier | None = Field(default=None, description="Who pressed, confirmed or took over")
    reason: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="Why, when not done")
    answer_ms: Annotated[float, Field(ge=0, json_schema_extra={"unit": "ms"})] | None = Field(
        default=None, description="From the command's creation to this answer, by the platform's clock"
    )
    detail: Text | None = Field(default=None, description="The rest, as JSON")
    prev_hash: Hash = Field(description="Hash of the line before")
    hash: Hash = Field(description="SHA-256 of prev_hash and this line")
