"""Whether the drills that the city's scenarios plan took place, house by house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.settings import Settings
from warehouse.read import query

DUE = timedelta(days=36)
"""A monthly drill on the first Wednesday comes after 28 or 35 days."""

HOUSES = "SELECT house_id, address, doors, doors_drilled, doors_answered, last_drill_at FROM marts.mart_drill_house"
SINCE = "SELECT min(event_at) AS first_at FROM raw.ledger_entry"


@dataclass(frozen=True, slots=True)
class House:
    """A house with doors and its last drill (None: none yet)."""

    house_id: str
    address: str
    doors: int
    doors_drilled: int
    doors_answered: int
    last_drill_at: datetime | None


def houses(settings: Settings) -> tuple[list[House], datetime | None]:
    """(houses with doors, when the ledger began)."""
    found = [House(*row) for row in query(settings, HOUSES).rows()]
    return found, query(settings, SINCE).item()


def late(found: Sequence[House], began: datetime | None, now: datetime) -> list[House]:
    """Houses whose last drill is too old; a city that has just begun has time until its first drill is due."""
    if began is None or now - began < DUE:
        return []
    return [house for house in found if house.last_drill_at is None or now - house.last_drill_at > DUE]
