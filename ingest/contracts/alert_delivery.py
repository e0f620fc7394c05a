"""What became of an alert of our own on its way to a receiver: one row an attempt, with the receiver's last word."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, UtcTime

Result = Literal[
    "accepted",  # HTTP 2xx, or the broker's acknowledgement
    "retry",  # anything else: it will be tried again
    "expired",  # the alert's own time was over first
]


class AlertDelivery(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="alert_delivery",
        grain="one row per alert of our own, receiver and attempt",
        title_en="Alerts sent onward",
        title_ru="Передача оповещений",
        key=("identifier", "receiver", "attempt"),
        event_time="at",
        entity="identifier",
        origin="platform",
        owner="situation_centre",
        live=False,
    )

    identifier: Identifier = Field(description="CAP <identifier> of our alert: its effect in the ledger")
    receiver: Identifier = Field(description="Receiver's code in the city's alert_receivers.toml")
    attempt: Annotated[int, Field(ge=0, le=1_000_000)] = Field(description="Which try it was; 0: nothing was tried")
    at: UtcTime = Field(description="When the receiver answered, or failed to, by the platform's clock")
    channel: Literal["webhook", "mqtt"] = Field(description="Way out")
    status: Literal["Actual", "Exercise"] = Field(description="CAP <status>")
    result: Result = Field(description="What came of it")
    answer: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="The receiver's last words")
    next_at: UtcTime | None = Field(default=None, description="When it is tried again")
    waited_s: Annotated[float, Field(ge=0, json_schema_extra={"unit": "s"})] = Field(
        description="From the alert's making to this answer"
    )
