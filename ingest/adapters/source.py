"""One source that the platform pulls: where it is, how often, and what may be said about it."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ingest.adapters.zones import known_zone


class Source(BaseModel):
    """A `[[source]]` of cities/<city>/sources.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="Short name, unique in the city")
    adapter: Literal["gtfs-rt", "open311", "cap"] = Field(description="Protocol")
    url: str = Field(min_length=1, max_length=2_048, description="http(s):// or file:// address (cap: also a folder)")
    every_s: float = Field(default=60, ge=1, le=86_400, description="Pause between fetches, s")
    zone: str = Field(default="UTC", description="IANA time zone of the server's times without an offset")
    timeout_s: float = Field(default=30, gt=0, le=600, description="Longest duration of one request, s")
    max_mb: float = Field(default=64, gt=0, le=1_024, description="Largest answer, unpacked, MB")
    hosts: list[str] = Field(default=[], description="Other hosts that links and redirects may lead to")
    headers: dict[str, str] = Field(default={}, description="HTTP headers, as an API key from ${ENVIRONMENT}")
    lookback_days: float = Field(
        default=14, gt=0, le=90, description="open311: requests so old are still watched, days"
    )
    page_size: int = Field(default=200, ge=1, le=1_000, description="open311: requests asked for at a time")
    enabled: bool = Field(default=True, description="false: kept, not fetched")

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https", "file"):
            raise ValueError("an address begins with http://, https:// or file://")
        return value

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        return known_zone(value)

    @property
    def address(self) -> str:
        """For the `source` column: adapter and address without what may be secret (user, password, query)."""
        return f"{self.adapter}:{public(self.url)}"


def public(url: str) -> str:
    """An address without user, password, query and fragment, and without control characters."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "unreadable address"
    return re.sub(r"[\x00-\x1f\x7f]", "?", f"{parts.scheme}://{host}{port}{parts.path}")[:512]
