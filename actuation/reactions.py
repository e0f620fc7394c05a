"""`cities/<code>/reactions.toml` as a model: which event makes which devices do what."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from city.geometry import features
from city.layers import Action, Device
from city.problem import CityError, Problem, from_validation
from city.profile import City

REACTIONS_FILE = "reactions.toml"

Kind = Literal["lamp", "door", "siren", "display"]
Text = Annotated[str, Field(min_length=1, max_length=512)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Model):
    """What some devices do. kinds or device_ids say which; near: only those of the event's site or zone."""

    action: Action
    kinds: tuple[Kind, ...] = ()
    device_ids: tuple[str, ...] = ()
    near: Literal["city", "zone", "site"] = Field(default="city", description="Only devices there (camera events)")
    text: Text | None = Field(default=None, description="For a display; an alert's own headline when left out")

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if not self.kinds and not self.device_ids:
            raise ValueError("name `kinds` or `device_ids`: otherwise nothing does it")
        if self.action == "lock":
            raise ValueError("no reaction locks: no command of ours blocks the way out; a person locks at the door")
        return self


class AlertRule(_Model):
    """Critical alerts of some categories (CAP 1.2); empty: of any."""

    name: Name
    categories: tuple[str, ...] = ()
    do: tuple[Step, ...] = Field(min_length=1)


class CameraRule(_Model):
    """A finding of a camera. A camera can be wrong, so the mode is said: `live` moves something."""

    name: Name
    class_names: tuple[str, ...] = Field(min_length=1)
    confidence: float = Field(ge=0, le=1, description="At least this score")
    mode: Literal["live", "drill"]
    do: tuple[Step, ...] = Field(min_length=1)


class Reactions(_Model):
    """All of a city's reactions and how patient they are."""

    answer_s: float = Field(default=5, gt=0, le=600, description="A device has so long to answer an attempt, s")
    attempts: int = Field(default=3, ge=1, le=100, description="Tries in all, then a person is told")
    lasts_s: float = Field(default=60, gt=0, le=3_600, description="A device that gets a command later refuses it, s")
    newest_s: float = Field(default=300, gt=0, le=86_400, description="An event without an end acts for so long, s")
    alerts: tuple[AlertRule, ...] = ()
    camera_events: tuple[CameraRule, ...] = ()

    @property
    def rules(self) -> list[AlertRule | CameraRule]:
        return [*self.alerts, *self.camera_events]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules {twice} are named twice: rename one of each")
        return self


def load_reactions(city: City) -> Reactions:
    """The city's reactions, checked against its devices; none when the file is absent. CityError says what is wrong."""
    path = city.folder / REACTIONS_FILE
    if not path.exists():
        return Reactions()
    try:
        reactions = Reactions.model_validate(tomllib.loads(path.read_text("utf-8")), strict=False)
    except tomllib.TOMLDecodeError as error:
        raise CityError([Problem(REACTIONS_FILE, "", str(error), "not TOML: put the line right")]) from error
    except ValidationError as error:
        raise CityError(from_validation(REACTIONS_FILE, error)) from error
    _check(reactions, load_devices(city))
    return reactions


def load_devices(city: City) -> tuple[Device, ...]:
    """The city's devices that take commands."""
    return tuple(each.properties for each in features(city, "devices") if each.properties.actions)


def _check(reactions: Reactions, devices: tuple[Device, ...]) -> None:
    known = {device.device_id: device for device in devices}
    problems = [
        Problem(
            REACTIONS_FILE, f"{rule.name}.do.device_ids", device_id, "not in devices.geojson, or it takes no command"
        )
        for rule in reactions.rules
        for step in rule.do
        for device_id in step.device_ids
        if device_id not in known or step.action not in known[device_id].actions
    ]
    if problems:
        raise CityError(problems)
