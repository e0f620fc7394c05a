"""`cities/<city>/notices.toml`: who is told (audiences), by what (channels), when not (quiet hours, digests).

Secrets stand in it as ${NAME} and come from the environment; a channel whose secret is not set is off, and says so.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from city.problem import CityError, Problem, at_key, from_validation
from city.profile import LocalTime

NOTICES_FILE = "notices.toml"
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Language = Literal["ru", "en"]
Severity = Literal["critical", "major", "minor"]
SECRET = re.compile(r"\$\{([A-Z][A-Z0-9_]{0,63})\}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Channel(_Model):
    """One way to one or more people. `to`: one recipient a line, each gets a delivery of its own."""

    url: str = Field(min_length=3, description="apprise URL; ${NAME} is taken from the environment, {to} from `to`")
    to: tuple[str, ...] = Field(default=(), description="Recipients: chat ids, addresses, telephones")
    api: str | None = Field(default=None, pattern=r"^https?://", description="Telegram: a Bot API server of your own")
    per_minute: int = Field(default=20, ge=1, le=10_000, description="More than this waits, unless it is critical")

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if bool(self.to) != ("{to}" in self.url):
            raise at_key("to", list(self.to), "goes with {to} in the url: set both or none")
        return self


class Audience(_Model):
    """Some people who hear the same things. Quiet hours and digests never hold a critical notice."""

    name_ru: str = Field(min_length=1)
    name_en: str = Field(min_length=1)
    languages: tuple[Language, ...] = Field(default=("ru",), min_length=1, description="The text in each, in order")
    channels: tuple[Code, ...] = Field(default=(), description="Keys of [channels]")
    quiet_from: LocalTime | None = Field(default=None, description="City's time; notices that may wait, wait …")
    quiet_until: LocalTime | None = Field(default=None, description="… until then")
    digest_minutes: float = Field(default=0, ge=0, le=1_440, description="After a notice, the next ones come together")

    @model_validator(mode="after")
    def _both_ends(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise at_key("quiet_from", self.quiet_from, "goes with quiet_until: set both or none")
        return self


class Notices(_Model):
    """The whole file."""

    keep_trying_minutes: float = Field(default=60, gt=0, le=10_080, description="Then a channel is given up")
    audiences: dict[Code, Audience] = {}
    channels: dict[Code, Channel] = {}

    @field_validator("channels")
    @classmethod
    def _no_secret_in_the_file(cls, channels: dict[str, Channel]) -> dict[str, Channel]:
        for code, channel in channels.items():
            if re.search(r"tgram://\d{5,}|://[^/?$@]+:[^/?$@]+@", channel.url):
                raise at_key(
                    f"channels.{code}.url", "…", "a secret stands in the file: write ${NAME} and set it outside"
                )
        return channels

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for code, audience in self.audiences.items():
            for channel in audience.channels:
                if channel not in self.channels:
                    raise at_key(f"audiences.{code}.channels", channel, "not in [channels]: add it there")
        return self


class SecretMissing(ValueError):  # noqa: N818 - told to a person, who sets it
    """A ${NAME} of a channel is not in the environment."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set: put it into the environment of the reflex process")
        self.name = name


def resolve(text: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The text with its secrets, quoted for a URL unless the secret is the whole text; and the secrets themselves."""
    secrets: list[str] = []

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1], "")
        if not found:
            raise SecretMissing(match[1])
        secrets.append(found)
        return found if match[0] == text else quote(found, safe="")

    return SECRET.sub(value, text), tuple(secrets)


def load_notices(folder: Path) -> Notices:
    """The file of a city's folder, or an empty one where there is none; CityError names file, key, value and remedy."""
    path = folder / NOTICES_FILE
    try:
        return Notices.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Notices()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CityError([Problem(NOTICES_FILE, "", str(error), "not TOML in UTF-8: put the line right")]) from error
    except ValidationError as error:
        raise CityError(from_validation(NOTICES_FILE, error)) from error
