"""The sources of a city: cities/<city>/sources.toml, checked, with ${NAME} filled in."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from city.settings import Settings
from ingest.adapters.source import Source

PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\}")


class SourcesError(ValueError):
    """sources.toml is wrong; the text names file, key, value and remedy."""


class Sources(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: list[Source] = Field(default=[], description="Feeds that the platform fetches itself")

    @field_validator("source")
    @classmethod
    def _codes_differ(cls, value: list[Source]) -> list[Source]:
        codes = [source.code for source in value]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"code {twice[0]!r} stands twice: give each source its own")
        return value


def load_sources(settings: Settings, environment: Mapping[str, str] | None = None) -> list[Source]:
    """The city's enabled sources; none where the city has no sources.toml."""
    path = settings.cities_dir / settings.city / "sources.toml"
    if not path.exists():
        return []
    names = {**_of_settings(settings), **(os.environ if environment is None else environment)}
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return [source for source in Sources.model_validate(_filled(told, names)).source if source.enabled]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourcesError(f"{path}: {where}: {first['msg']}, got {first.get('input')!r}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise SourcesError(f"{path}: {error.args[0] if isinstance(error, KeyError) else error}") from error


def _of_settings(settings: Settings) -> dict[str, str]:
    """Settings by the names of their environment variables, so that a default counts as well as a variable."""
    plain = settings.model_dump()
    return {f"GORODOK_{name.upper()}": str(value) for name, value in plain.items() if isinstance(value, str | int)}


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: _one(match, names), value)
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    return value


def _one(match: re.Match[str], names: Mapping[str, str]) -> str:
    name, default = match.groups()
    if name in names:
        return names[name]
    if default is not None:
        return default
    raise KeyError(f"${{{name}}} is not set: export it, or write ${{{name}:-default}}")
