"""Conditions as data: a field compared with a value, the local time, daylight; joined by all, any, not. No eval.

What is unknown is not true: a comparison with a field that the event lacks does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actuation.scenario.daylight import is_dark
from city.problem import at_key

Scalar = bool | int | float | str
Number = Annotated[float, Field(allow_inf_nan=False)]
LocalTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM, the city's time")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Model(BaseModel):
    """Base of everything in a scenario's file: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StateValue(Model):
    """A value of the city state: the newest message of one entity of a feed."""

    feed: str = Field(description="Feed's code, for example scada_reading")
    entity: str = Field(description="Whose value: sensor, meter, vehicle")


class LocalHours(Model):
    """From … until, the city's time; over midnight when `from` is later than `until`."""

    since: LocalTime = Field(default="00:00", alias="from")
    until: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$", description="HH:MM, not included")] = (
        "24:00"
    )
    weekdays: tuple[Weekday, ...] = Field(default=(), description="Only on these days; none: every day")


COMPARISONS = ("equals", "not_equals", "one_of", "above", "below", "at_least", "at_most")
KINDS = ("field", "all", "any", "not", "local_time", "dark")


class Condition(Model):
    """One of: `field` with one comparison or more; `all`, `any`, `not`; `local_time`; `dark`."""

    field: Annotated[str, Field(pattern=r"^[A-Za-z][\w.]{0,127}$")] | None = Field(
        default=None, description="Field of the event's body, or of `state`; a dot goes into an object"
    )
    state: StateValue | None = Field(default=None, description="Take the field from the city state, not the event")
    equals: Scalar | None = None
    not_equals: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = None
    above: Number | None = None
    below: Number | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    all: tuple[Condition, ...] | None = Field(default=None, min_length=1, description="Every one holds")
    any: tuple[Condition, ...] | None = Field(default=None, min_length=1, description="One or more hold")
    not_: Condition | None = Field(default=None, alias="not", description="It does not hold")
    local_time: LocalHours | None = None
    dark: bool | None = Field(default=None, description="The sun is more than 6 degrees below the horizon, or is not")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        named = [kind for kind in KINDS if getattr(self, "not_" if kind == "not" else kind) is not None]
        if len(named) != 1:
            raise at_key("condition", ", ".join(named) or "nothing", f"write exactly one of {', '.join(KINDS)}")
        compared = [name for name in COMPARISONS if getattr(self, name) is not None]
        if named == ["field"] and not compared:
            raise at_key(f"condition.{self.field}", "no comparison", f"add one of {', '.join(COMPARISONS)}")
        if named != ["field"] and (compared or self.state):
            raise at_key("condition", ", ".join(compared) or "state", "compare a `field` with it")
        return self


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a condition can see. values: "feed/entity/field" → newest value of the city state."""

    body: Mapping[str, Any]
    now: datetime
    values: Mapping[str, Any]
    timezone: tzinfo = UTC
    latitude: float = 0.0
    longitude: float = 0.0


def holds(condition: Condition, seen: Surroundings) -> bool:
    """Whether it is true of what is seen."""
    if condition.field is not None:
        return _compare(condition, value_of(condition, seen))
    if condition.all is not None:
        return all(holds(each, seen) for each in condition.all)
    if condition.any is not None:
        return any(holds(each, seen) for each in condition.any)
    if condition.not_ is not None:
        return not holds(condition.not_, seen)
    if condition.local_time is not None:
        return within(condition.local_time, seen.now.astimezone(seen.timezone))
    return is_dark(seen.now, seen.latitude, seen.longitude) == condition.dark


def value_of(condition: Condition, seen: Surroundings) -> Any:
    if condition.state is not None:
        return seen.values.get(f"{condition.state.feed}/{condition.state.entity}/{condition.field}")
    return field_of(seen.body, condition.field or "")


def field_of(body: Mapping[str, Any], path: str) -> Any:
    """A field of a message; a device's measured values may lie in its `reading`. None when it has none."""
    first, _, rest = path.partition(".")
    found: Any = body.get(first)
    if found is None and isinstance(reading := body.get("reading"), Mapping):
        found = reading.get(first)
    for name in rest.split(".") if rest else ():
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def within(hours: LocalHours, local: datetime) -> bool:
    """Whether a local time lies in the hours; after midnight it still belongs to the day before."""
    clock = f"{local:%H:%M}"
    over_midnight = hours.since > hours.until
    inside = (clock >= hours.since or clock < hours.until) if over_midnight else hours.since <= clock < hours.until
    day = local - timedelta(days=1) if over_midnight and clock < hours.until else local
    return inside and (not hours.weekdays or WEEKDAYS[day.weekday()] in hours.weekdays)


def watched(condition: Condition) -> list[str]:
    """The city-state values that it needs: "feed/entity/field"."""
    if condition.state is not None:
        return [f"{condition.state.feed}/{condition.state.entity}/{condition.field}"]
    parts = [*(condition.all or ()), *(condition.any or ()), *((condition.not_,) if condition.not_ else ())]
    return [name for part in parts for name in watched(part)]


_NUMERIC: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("above", lambda value, bound: value > bound),
    ("below", lambda value, bound: value < bound),
    ("at_least", lambda value, bound: value >= bound),
    ("at_most", lambda value, bound: value <= bound),
)


def _compare(condition: Condition, value: Any) -> bool:
    if value is None:
        return False
    if condition.equals is not None and not same(value, condition.equals):
        return False
    if condition.not_equals is not None and same(value, condition.not_equals):
        return False
    if condition.one_of is not None and not any(same(value, each) for each in condition.one_of):
        return False
    for name, compare in _NUMERIC:
        bound = getattr(condition, name)
        if bound is not None and not (_is_number(value) and compare(value, bound)):
            return False
    return True


def same(value: Any, other: Any) -> bool:
    """Equal and of one sort: true is not 1, "1" is not 1."""
    return (isinstance(value, bool) == isinstance(other, bool)) and value == other


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
