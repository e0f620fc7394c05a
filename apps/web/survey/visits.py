"""Visits as a phone sends them, as messages of the feed `meter_visit`, or refused by field and reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from apps.web.survey.routes import Route
from ingest.contracts.meter_visit import MeterVisit

FROM_PHONE = ("visit_id", "event_time", "meter_id", "house_id", "result", "reading_m3", "note")


@dataclass(frozen=True)
class RefusedVisit:
    visit_id: str
    field: str
    why: str


def read_visits(body: Any, route: Route) -> tuple[list[MeterVisit], list[RefusedVisit]]:
    """One bad visit does not hold up the others. ValueError where the body is no list of objects.

    Inspector and zone are the route's, whatever the phone says; a house that is not on the route is refused.
    """
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise ValueError("a list of visits is expected")
    zones = {stop.house_id: stop.zone_id for stop in route.stops}
    good: list[MeterVisit] = []
    refused: list[RefusedVisit] = []
    for one in body:
        visit_id = str(one.get("visit_id") or "")[:128]
        house = one.get("house_id")
        if not isinstance(house, str) or house not in zones:
            refused.append(RefusedVisit(visit_id, "house_id", "the house is not on this route"))
            continue
        told = {name: one[name] for name in FROM_PHONE if one.get(name) not in (None, "")}
        told |= {"inspector": route.inspector, "zone_id": zones[house]}
        try:
            good.append(MeterVisit.model_validate_json(json.dumps(told)))
        except ValidationError as error:
            first = error.errors()[0]
            refused.append(RefusedVisit(visit_id, ".".join(map(str, first["loc"])), str(first["msg"])))
    return good, refused
