"""What became of a notice on its way to people: one row an attempt, with the channel's last word."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, UtcTime

Result = Literal[
    "sent",  # the channel took it
    "retry",  # it did not, and will be asked again
    "refused",  # it never will: a wrong address, a blocked bot, no such chat
    "given_up",  # it was asked until the city's time for trying was over
    "shadow",  # the scenario only pretends: nothing left
    "off",  # the channel has no address: its secret is not set
]


class NoticeDelivery(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="notice_delivery",
        grain="one row per notice, channel, recipient and attempt",
        title_en="Notices to people",
        title_ru="Оповещения людей",
        key=("notice_id", "channel", "recipient", "attempt"),
        event_time="at",
        entity="notice_id",
        origin="platform",
        owner="situation_centre",
        live=False,
    )

    notice_id: Identifier = Field(description="The notice: its effect in the ledger")
    channel: Identifier = Field(description="Channel of the city's notices.toml")
    recipient: Identifier = Field(description="Pseudonym of the address; the address itself is never written")
    attempt: Annotated[int, Field(ge=0, le=10_000)] = Field(description="Which try it was; 0: nothing was tried")
    at: UtcTime = Field(description="When the channel answered, by the platform's clock")
    audience: Identifier = Field(description="Whom it is for")
    template: Identifier = Field(description="Which text")
    severity: Literal["critical", "major", "minor"] = Field(description="How grave")
    mode: Literal["live", "drill", "shadow"] = Field(description="A drill's text says so in its first words")
    scenario: Identifier = Field(description="Scenario that asked for it")
    run_id: Identifier = Field(description="One activation of that scenario")
    result: Result = Field(description="What came of it")
    code: Annotated[int, Field(ge=100, le=599)] | None = Field(
        default=None, description="The channel's own code: HTTP status or SMTP reply"
    )
    answer: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The channel's last words, secrets taken out"
    )
    together: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1, description="Notices that this message carried: more than 1 is a digest"
    )
    waited_s: Annotated[float, Field(ge=0, json_schema_extra={"unit": "s"})] = Field(
        description="From the notice's creation to this answer"
    )
