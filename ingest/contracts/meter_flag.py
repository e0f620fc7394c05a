"""A check of a meter that was raised or cleared when its reading came in; told in words, never a verdict."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ingest.contracts.contract import Contract, FeedSpec, Identifier, UtcTime, unit


class MeterFlag(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="meter_flag",
        grain="one row per meter, check and change of it",
        title_en="Meter checks",
        title_ru="Проверки счётчиков",
        key=("meter_id", "kind", "status", "event_time"),
        event_time="event_time",
        entity="meter_id",
        origin="platform",
        owner="housing",
        ahead_s=40_000_000,
        behind_s=400 * 86_400,
    )

    meter_id: Identifier = Field(description="Serial number of the meter or its key in the billing system")
    event_time: UtcTime = Field(description="Time of the reading that changed the flag; of a future one: when it came")
    kind: Literal[
        "rate_high", "rate_negative", "duplicate", "future", "stuck", "roll_over", "meter_changed", "unit_error", "dead"
    ] = Field(
        description="rate_high: more than the pipe lets through; rate_negative: ran backwards; duplicate: a second "
        "reading of one moment; future: a clock that is ahead; stuck: still against its habit; roll_over: through its "
        "last digit; meter_changed: a new row of readings holds; unit_error: 1000 times off; dead: an inspector's word"
    )  # fmt: skip
    status: Literal["raised", "cleared"] = Field(description="cleared: right readings came, or a visit found it well")
    reason_ru: Annotated[str, Field(max_length=512)] = Field(description="Why, in Russian")
    reason_en: Annotated[str, Field(max_length=512)] = Field(description="Why, in English")
    value_m3: float | None = unit("m3", default=None, ge=0, le=1e12, description="What the reading said")
    before_m3: float | None = unit("m3", default=None, ge=0, le=1e12, description="The believed reading before")
    house_id: Identifier | None = Field(default=None, description="House of the city's register")
    zone_id: Identifier | None = Field(default=None, description="District metered area")
