"""An Open311 GeoReport v2 server, read only (wiki.open311.org/GeoReport_v2).

Besides the standard's fields a request has the city's executor, deadline, cost_rub and channel; besides its filters
there are page, page_size (both in common use) and updated_after, updated_before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from city.profile import City
from simulator.life.complaints import HISTORY_DAYS, Complaints
from simulator.truth import Key

LIMIT = 1_000
MAX_SPAN_S = 90 * 86_400
KNOWN = {
    "service_request_id", "service_code", "start_date", "end_date", "status", "page", "page_size", "updated_after",
    "updated_before", "jurisdiction_id", "api_key", "extensions",
}  # fmt: skip


class QueryError(ValueError):
    """A parameter is wrong: HTTP 400."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    keys: list[Key]


def services(city: City) -> Reply:
    """GET Service List."""
    found = [
        {
            "service_code": service.code,
            "service_name": service.name_ru,
            "description": service.name_en,
            "metadata": False,
            "type": "realtime",
            "keywords": service.group,
            "group": service.group,
        }
        for service in city.services
    ]
    return Reply(200, _dump(found), [])


def requests(complaints: Complaints, query: Mapping[str, str], now_s: float) -> Reply:
    """GET Service Requests, oldest first."""
    try:
        found = _filtered(complaints, query, now_s)
        page, size = _number(query, "page", 1), _number(query, "page_size", LIMIT)
    except QueryError as error:
        return _error(400, str(error))
    size = min(size, LIMIT)
    return _reply(found[(page - 1) * size : page * size])


def request(complaints: Complaints, number: str, now_s: float) -> Reply:
    """GET Service Request: a list of one, as the standard says."""
    query = {"service_request_id": number}
    found = _filtered(complaints, query, now_s)
    return _reply(found) if found else _error(404, f"service_request_id {number} is not known")


def _filtered(complaints: Complaints, query: Mapping[str, str], now_s: float) -> list[dict[str, Any]]:
    if unknown := sorted(query.keys() - KNOWN):
        raise QueryError(f"unknown parameter {unknown[0]}: use {', '.join(sorted(KNOWN))}")
    end = min(_moment(query, "end_date", now_s), now_s)
    start = max(_moment(query, "start_date", end - MAX_SPAN_S), end - MAX_SPAN_S, now_s - HISTORY_DAYS * 86_400)
    numbers = set(query["service_request_id"].split(",")) if query.get("service_request_id") else None
    codes = set(query["service_code"].split(",")) if query.get("service_code") else None
    states = set(query["status"].split(",")) if query.get("status") else None
    after, before = _moment(query, "updated_after", 0), _moment(query, "updated_before", now_s)
    found = []
    for complaint in complaints.asked(start - 1e-6, end):
        state = complaint.state(now_s)
        wanted = (
            (numbers is None or complaint.number in numbers)
            and (codes is None or complaint.service.code in codes)
            and (states is None or state["status"] in states)
            and after <= datetime.fromisoformat(state["updated_datetime"]).timestamp() <= before
        )
        if wanted:
            found.append(state)
    return found


def _reply(found: list[dict[str, Any]]) -> Reply:
    keys = [(one["service_request_id"], one["updated_datetime"], one["status"]) for one in found]
    return Reply(200, _dump(found), keys)


def _error(status: int, description: str) -> Reply:
    return Reply(status, _dump([{"code": status, "description": description}]), [])


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{name}={text}: write a W3C date-time, as 2026-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise QueryError(f"{name}={text}: write a whole number from 1")
    return int(text)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
