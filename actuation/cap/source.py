"""cities/<city>/alert_sources.toml: whose alerts the city takes, how they are known, and what they may do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from actuation.cap.pins import PinError, Pins
from city.settings import Settings

FILE = "alert_sources.toml"
HOME = "home:"

Channel = Literal["pull", "mqtt", "webhook", "folder", "file", "text"]
CHANNELS: tuple[Channel, ...] = ("pull", "mqtt", "webhook", "folder", "file", "text")


class CapSourcesError(ValueError):
    """alert_sources.toml is wrong; the text names file, key, value and remedy."""


class CapSource(BaseModel):
    """A `[[source]]` of alert_sources.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="Short name, as in sources.toml if pulled")
    title_ru: str = Field(min_length=1, max_length=256, description="Who it is, Russian")
    title_en: str = Field(min_length=1, max_length=256, description="Who it is, English")
    trust: Literal["signed", "trusted", "inform"] = Field(
        description="signed: acts when the signature verifies; trusted: acts without one; inform: tells people only"
    )
    certificates: tuple[str, ...] = Field(
        default=(), description="Pinned certificates, PEM: in the city's folder, or home:… for GORODOK_HOME"
    )
    senders: tuple[str, ...] = Field(default=(), description="<sender> values it may speak for; inform only: any")
    channels: tuple[Channel, ...] = Field(default=CHANNELS, min_length=1, description="Ways in that it may use")
    scopes: tuple[Literal["Public", "Restricted", "Private"], ...] = Field(
        default=("Public",), description="<scope> values that are meant for this city"
    )
    addresses: tuple[str, ...] = Field(default=(), description="Private alerts must address one of these")
    no_area: Literal["refuse", "city"] = Field(default="refuse", description="An alert that names no area")
    elsewhere: Literal["refuse", "ignore"] = Field(default="refuse", description="An alert about other places")
    max_age_s: float = Field(default=86_400, gt=0, le=31 * 86_400, description="Oldest <sent> that may act, s")
    max_future_s: float = Field(default=120, ge=0, le=3_600, description="How far <sent> may lie ahead, s")
    max_radius_km: float = Field(default=500, gt=0, le=20_000, description="A circle larger than this is refused, km")
    reformatted: bool = Field(
        default=False,
        description="The sender indents after signing: blank text is left out before verifying",
    )
    text_acts: bool = Field(default=False, description="A text of this source that a rule matches acts at once")
    language: str = Field(default="ru-RU", description="Language of its texts")

    _pins: Pins = PrivateAttr(default_factory=lambda: Pins(()))

    @property
    def pins(self) -> Pins:
        return self._pins

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.trust == "signed" and not self.certificates:
            raise ValueError("trust = signed needs certificates: list the PEM files that this source signs with")
        if self.trust != "inform" and not self.senders:
            raise ValueError("a source that may act needs senders: list the <sender> values it may speak for")
        if self.text_acts and self.trust != "trusted":
            raise ValueError('text_acts needs trust = "trusted": a text has no signature')
        if "Private" in self.scopes and not self.addresses:
            raise ValueError("scopes with Private needs addresses: whom such alerts address when they mean this city")
        return self

    def resolved(self, folder: Path, home: Path) -> Self:
        """With its certificate files found; the city's own must be there and readable, home's may come later."""
        paths = []
        for name in self.certificates:
            path = home / name.removeprefix(HOME) if name.startswith(HOME) else folder / name
            if not name.startswith(HOME) and not path.is_file():
                raise CapSourcesError(f"{FILE}: source {self.code!r}: certificates: {name!r} is not in {folder}")
            paths.append(path)
        self._pins = Pins(paths)
        return self


class CapSources(BaseModel):
    """The whole file. geocodes: valueName → value → zones of the city, ["*"] for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: tuple[CapSource, ...] = Field(default=(), description="Senders of alerts")
    geocodes: dict[str, dict[str, tuple[str, ...]]] = Field(default={}, description="Codes that mean zones of the city")

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        codes = [source.code for source in self.source]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"source code {twice[0]!r} stands twice: give each source its own")
        return self

    def of(self, code: str) -> CapSource | None:
        return next((source for source in self.source if source.code == code), None)


def load_cap_sources(settings: Settings) -> CapSources:
    """The city's alert sources; none where it has no alert_sources.toml. CapSourcesError names what is wrong."""
    folder = settings.cities_dir / settings.city
    path = folder / FILE
    if not path.exists():
        return CapSources()
    try:
        found = CapSources.model_validate(_lists_as_tuples(tomllib.loads(path.read_text(encoding="utf-8-sig"))))
        for source in found.source:
            list(source.resolved(folder, settings.home).pins)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CapSourcesError(f"{path}: {where}: {first['msg']}, got {str(first.get('input'))[:200]!r}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, PinError) as error:
        raise CapSourcesError(f"{path}: {error}") from error
    return found


def _lists_as_tuples(value: Any) -> Any:
    """TOML has arrays only; the models are frozen and hold tuples."""
    if isinstance(value, list):
        return tuple(_lists_as_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _lists_as_tuples(item) for key, item in value.items()}
    return value
