"""What a feed is: one pydantic model a message, and the facts about the feed that the model cannot say.

Everything else about a feed (Arrow schema, JSON Schema, Great Expectations suite, dbt source, AsyncAPI
channel, docs page) is derived from these two, never written twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Field(max_length=10_000)]
UtcTime = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]
Latitude = Annotated[float, Field(ge=-90, le=90, json_schema_extra={"unit": "deg"})]
Longitude = Annotated[float, Field(ge=-180, le=180, json_schema_extra={"unit": "deg"})]
Sequence = Annotated[int, Field(ge=0, lt=2**63)]


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """The facts about a feed that its message model cannot say.

    code: one short word, the same in folder, module, topic, table, dbt model and docs page.
    grain: "one row per …", the first sentence of the docs.
    key: fields that name one message; a second message with the same key is a duplicate.
    event_time: the field with the device's own clock.
    entity: the field with the thing that the message is about (its latest value is city state).
    origin: "device" publishes to MQTT; "service" is pulled by an adapter (and may be published too);
        "platform" is written by Gorodok itself.
    freshness_s: silence longer than this is an incident; 0 = never due.
    ahead_s, behind_s: how far a device's clock may run ahead of, or lie behind, the receive time before
        the row is marked. A meter that delivers once a day may lie behind by days; a bus may not.
    sequence: (boot field, counter field) when devices number their messages, so that a gap is a row.
    live: the newest message of an entity is kept in the city state.
    """

    code: str
    grain: str
    title_en: str
    title_ru: str
    key: tuple[str, ...]
    event_time: str
    entity: str
    origin: Literal["device", "service", "platform"]
    owner: str
    freshness_s: int = 0
    ahead_s: int = 60
    behind_s: int = 3_600
    sequence: tuple[str, str] | None = None
    live: bool = True


class Contract(BaseModel):
    """Base of every feed's message. Unknown keys are refused: a field that nobody reads is a lost field.

    Strict: "12" is not a number and true is not 1. Of two messages with one key the first that was
    landed stays; a later one that says something else is kept in `ops.conflict` and counted.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, ser_json_bytes="base64", val_json_bytes="base64"
    )

    spec: ClassVar[FeedSpec]


class Part(BaseModel):
    """Base of a nested object inside a contract (landed as JSON text)."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def unit(name: str, **more: Any) -> Any:
    """Field with its SI unit in the schema: `speed_m_s: float = unit("m/s", ge=0)`."""
    extra = {"unit": name, **more.pop("json_schema_extra", {})}
    return Field(json_schema_extra=extra, **more)


def personal(**more: Any) -> Any:
    """Field that identifies a person: pseudonymised in staging, never in a mart."""
    return Field(json_schema_extra={"personal": True}, **more)
