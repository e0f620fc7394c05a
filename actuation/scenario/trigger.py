"""What starts a scenario (`triggers`) or ends its runs (`ends`): one model a kind of event."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from actuation.scenario.condition import Condition, LocalTime, Model, Weekday
from city.layers import Id
from ingest.contracts.alert import Category

Words = tuple[Annotated[str, Field(min_length=1, max_length=256)], ...]
Seconds = Annotated[float, Field(gt=0, le=31 * 86_400)]


class _Trigger(Model):
    when: tuple[Condition, ...] = Field(default=(), description="All must hold, besides the scenario's own")
    confirm_within_s: Seconds | None = Field(
        default=None,
        description="A person must confirm within this, or nothing happens; of a button: another person",
    )
    zones: tuple[Id, ...] = Field(default=(), description="Only these zones; none: those of the event")


class AlertTrigger(_Trigger):
    """A CAP alert, one of whose <info> has all that is named. Update, Cancel and expires move and end its run."""

    on: Literal["alert"]
    events: Words = Field(default=(), description="Words in <event>, small or capital")
    categories: tuple[Category, ...] = ()
    severities: tuple[Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"], ...] = ()
    urgencies: tuple[Literal["Immediate", "Expected", "Future", "Past", "Unknown"], ...] = ()
    certainties: tuple[Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"], ...] = ()
    responses: tuple[
        Literal["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"], ...
    ] = Field(default=(), description="responseType")
    not_responses: tuple[Literal["AllClear"], ...] = Field(
        default=("AllClear",), description="An <info> with it is not meant"
    )
    statuses: tuple[Literal["Actual", "Exercise", "Test", "Draft"], ...] = Field(
        default=("Actual", "Exercise", "Test"), description="Every one but Actual is at most a drill"
    )
    scopes: tuple[Literal["Public", "Restricted", "Private"], ...] = Field(
        default=("Public", "Restricted", "Private"),
        description="Restricted and Private act, but are never shown or published onward",
    )


class CameraTrigger(_Trigger):
    on: Literal["camera_event"]
    class_names: Words = Field(min_length=1)
    confidence: float = Field(ge=0, le=1, description="At least this score")
    newest_s: Seconds = Field(default=60, description="An older finding does nothing")


class DeviceTrigger(_Trigger):
    """A device said something of its own: what a radar measures, a button on a post."""

    on: Literal["device_message"]
    kinds: Words = Field(min_length=1, description="Kinds of devices, for example radar")
    newest_s: Seconds = Field(default=10, description="An older message does nothing")


class SensedTrigger(_Trigger):
    """What a device's own sensor says of its state."""

    on: Literal["sensed"]
    kinds: Words = Field(min_length=1)
    states: Words = Field(min_length=1)
    newest_s: Seconds = 3_600


class AnswerTrigger(_Trigger):
    """A verified answer of a device to a command."""

    on: Literal["answer"]
    kinds: Words = Field(min_length=1)
    results: tuple[Literal["done", "would_do", "refused", "failed"], ...] = Field(min_length=1)
    newest_s: Seconds = 3_600


class StateTrigger(_Trigger):
    """A value of the city state past a threshold (`when`), for `for_s` without a break."""

    on: Literal["state"]
    feed: str
    entities: Words = Field(default=(), description="Only these; none: all of the feed")
    when: tuple[Condition, ...] = Field(min_length=1)
    for_s: float = Field(default=0, ge=0, le=7 * 86_400)


class IncidentTrigger(_Trigger):
    on: Literal["incident"]
    kinds: Words = Field(default=(), description="Kinds of the contract `incident`; none: any")
    severities: tuple[Literal["critical", "major", "minor"], ...] = ()
    status: Literal["open", "closed"] = "open"


class CheckTrigger(_Trigger):
    on: Literal["check_failed"]
    assets: Words = Field(default=(), description="Asset keys; none: any")
    checks: Words = Field(default=(), description="Names of checks; none: any")


class SilentTrigger(_Trigger):
    on: Literal["feed_silent"]
    feeds: Words = Field(default=(), description="Codes; none: any")
    silent_s: float = Field(default=0, ge=0, description="Silent for so long or longer")


class ScheduleTrigger(_Trigger):
    """A time of the city's clock."""

    on: Literal["schedule"]
    at: LocalTime
    weekdays: tuple[Weekday, ...] = ()
    days: tuple[Annotated[int, Field(ge=1, le=31)], ...] = Field(
        default=(), description="Days of the month; with weekdays both must hold: wed and 1…7 is the first Wednesday"
    )


class ButtonTrigger(_Trigger):
    """A person presses `start` on the duty officer's page."""

    on: Literal["button"]


Trigger = Annotated[
    AlertTrigger
    | CameraTrigger
    | DeviceTrigger
    | SensedTrigger
    | AnswerTrigger
    | StateTrigger
    | IncidentTrigger
    | CheckTrigger
    | SilentTrigger
    | ScheduleTrigger
    | ButtonTrigger,
    Field(discriminator="on"),
]
