"""cities/<city>/alert_receivers.toml: to whom our own alerts go."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from city.settings import Settings

FILE = "alert_receivers.toml"
PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class ReceiversError(ValueError):
    """alert_receivers.toml is wrong; the text names file, key, value and remedy."""


class _Receiver(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="Short name")
    title_ru: str = Field(min_length=1, max_length=256, description="Who it is, Russian")
    title_en: str = Field(min_length=1, max_length=256, description="Who it is, English")
    statuses: list[Literal["Actual", "Exercise"]] = Field(default=["Actual"], description="Alerts that it wants")
    timeout_s: float = Field(default=10, gt=0, le=120, description="Longest wait for an answer, s")


class Webhook(_Receiver):
    """POST of the signed XML; accepted with any 2xx."""

    channel: Literal["webhook"]
    url: str = Field(description="http:// or https:// address")
    headers: dict[str, str] = Field(default={}, description="HTTP headers; ${NAME} is an environment variable")

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError("an address begins with http:// or https:// and names a host")
        return value


class Mqtt(_Receiver):
    """PUBLISH of the signed XML, QoS 1; accepted when the broker says so and somebody listens, or it is kept."""

    channel: Literal["mqtt"]
    url: str = Field(description="mqtt://[user@]host:port or mqtts://…")
    topic: str = Field(min_length=1, max_length=512, pattern=r"^[^#+\x00]+$", description="Topic")
    password: str = Field(default="", description="Of the user; ${NAME} is an environment variable")
    ca_file: str | None = Field(default=None, description="CA certificate for mqtts://")
    retain: bool = Field(default=False, description="The broker keeps the newest alert for those who come later")


Receiver = Annotated[Webhook | Mqtt, Field(discriminator="channel")]


class Receivers(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str = Field(
        pattern=r"^[^\s,<&]+$", max_length=128, description="<sender> of our alerts, an address of ours"
    )
    sender_name: str = Field(min_length=1, max_length=256, description="<senderName>, for people")
    public_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s]+$", description="Where a web server shows GORODOK_HOME/cap_out/public"
    )
    receiver: list[Receiver] = Field(default=[], description="To whom alerts go")

    @field_validator("receiver")
    @classmethod
    def _codes_differ(cls, value: list[Webhook | Mqtt]) -> list[Webhook | Mqtt]:
        codes = [each.code for each in value]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"receiver code {twice[0]!r} stands twice: give each its own")
        return value


def load_receivers(settings: Settings, environment: Mapping[str, str] | None = None) -> Receivers | None:
    """None where the city sends no alerts of its own. ReceiversError names what is wrong."""
    path = settings.cities_dir / settings.city / FILE
    if not path.exists():
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        return Receivers.model_validate(
            _filled(tomllib.loads(text), os.environ if environment is None else environment)
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ReceiversError(f"{path}: {where}: {first['msg']}") from error  # values may be secrets
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise ReceiversError(f"{path}: {error.args[0] if error.args else error}") from error


def _filled(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: _one(match.group(1), names), value)
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    return value


def _one(name: str, names: Mapping[str, str]) -> str:
    if name not in names:
        raise KeyError(f"${{{name}}} is not set: export it")
    return names[name]
