"""Routes of inspectors on the disk: one file a route, under the hash of its token. The token itself is kept nowhere.

`<home>/survey/<hash>.json` (0600) is the route, `<hash>.done` the visits that the broker has, one id a line.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from city.settings import Settings
from ingest.contracts.contract import Identifier

LASTS = timedelta(days=7)
TOKEN_BYTES = 24


class StopCard(BaseModel):
    """What the phone shows of one stop. meters: how many are suspected; their numbers are read at the door."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    house_id: Identifier
    zone_id: Identifier | None = None
    address: str
    reasons_ru: list[str] = []
    reasons_en: list[str] = []
    expected_rub: float = Field(ge=0)
    metres: float = Field(ge=0)
    meters: int = Field(default=0, ge=0)


class Route(BaseModel):
    """One inspector's day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inspector: Identifier
    city: str
    made_at: AwareDatetime
    expires_at: AwareDatetime
    stops: list[StopCard]


class RouteBook:
    """The routes under one home."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "survey"

    def add(self, route: Route) -> str:
        """Keeps the route; its token, which is in the inspector's link and nowhere else."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(token)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(route.model_dump_json())
        return token

    def find(self, token: str, now: datetime | None = None) -> Route | None:
        """None for a token that is unknown or over."""
        try:
            route = Route.model_validate_json(self._path(token).read_bytes())
        except FileNotFoundError:
            return None
        return route if (now or datetime.now(UTC)) < route.expires_at else None

    def done(self, token: str) -> set[str]:
        """Ids of visits that the broker has."""
        try:
            return set(self._path(token).with_suffix(".done").read_text(encoding="utf-8").split("\n")) - {""}
        except FileNotFoundError:
            return set()

    def mark_done(self, token: str, visit_ids: Iterable[str]) -> None:
        """On the disk when it returns."""
        path = self._path(token).with_suffix(".done")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.writelines(f"{visit_id}\n" for visit_id in visit_ids)
            file.flush()
            os.fsync(file.fileno())

    def _path(self, token: str) -> Path:
        return self._folder / f"{hashlib.sha256(token.encode()).hexdigest()[:40]}.json"


def as_page(route: Route) -> str:
    """The route as JSON that may stand inside an HTML element of data: no character of it ends the element."""
    told = json.dumps(route.model_dump(mode="json"), ensure_ascii=False)
    return told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
