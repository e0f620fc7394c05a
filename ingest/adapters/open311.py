"""Open311 GeoReport v2 (wiki.open311.org/GeoReport_v2): pulls `requests.json` and maps it to complaints.

Real servers add fields (SeeClickFix, Connected Bits, Mark-a-Spot all do), write numbers as text and times without an
offset. What our contract knows is mapped, the rest is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.adapters.decoding import Decoding
from ingest.adapters.fetching import Document, Fetcher, FetchError
from ingest.adapters.source import Source
from ingest.contracts import CONTRACTS
from ingest.moments import moment

FEED = "complaint"
MAX_BYTES = 64 * 2**20
MAX_PAGES = 200
SERVER_CAP = 1_000
"""GeoReport v2: "a maximum of 1000 requests"; a server without paging that answers with so many holds more back."""
SMALLEST_WINDOW = timedelta(minutes=10)

TEXTS = (
    "service_name", "status_notes", "description", "agency_responsible", "service_notice", "address", "address_id",
    "zipcode", "media_url", "executor",
)  # fmt: skip
CHANNELS = frozenset({"web", "phone", "telegram", "walk_in", "camera", "sensor", "other"})


class Open311:
    """Asks for all requests of the last `lookback_days` each time, so that a change of an older one is seen:
    GeoReport v2 has no "changed since". (What was handed over before, the poller does not hand over again.)"""

    max_bytes = MAX_BYTES

    def __init__(self, source: Source, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._source = source
        self._now = now

    async def fetch(self, fetcher: Fetcher) -> list[Document]:
        if self._source.url.startswith("file:"):
            return [await fetcher.get(self._source.url)]
        end = self._now().replace(microsecond=0)
        return await self._window(fetcher, end - timedelta(days=self._source.lookback_days), end)

    def decode(self, document: Document) -> Decoding:
        return decode(document.data, document.source, self._source.zone)

    async def _window(self, fetcher: Fetcher, start: datetime, end: datetime) -> list[Document]:
        """Pages until one is short or repeats; where the server knows no pages and cuts, two halves of the window."""
        found: list[Document] = []
        before: list[str] = []
        for page in range(1, MAX_PAGES + 1):
            document = await fetcher.get(self._source.url, self._params(start, end, page))
            ids = _ids(document.data)
            if page > 1 and ids == before:
                break
            found.append(document)
            if len(ids) >= SERVER_CAP > self._source.page_size and end - start > SMALLEST_WINDOW:
                middle = start + (end - start) / 2
                return await self._window(fetcher, start, middle) + await self._window(fetcher, middle, end)
            if len(ids) != self._source.page_size:
                break
            before = ids
        else:
            raise FetchError("size", f"more than {MAX_PAGES} pages of {self._source.page_size}: lower lookback_days")
        return found

    def _params(self, start: datetime, end: datetime, page: int) -> dict[str, str]:
        return {
            "start_date": _w3c(start),
            "end_date": _w3c(end),
            "page": str(page),
            "page_size": str(self._source.page_size),
        }


def _w3c(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decode(data: bytes, source: str, zone: str = "UTC") -> Decoding:
    """zone: the server's time zone, for times without an offset."""
    done = Decoding(source)
    requests = _requests(data, done)
    for request in requests:
        original = json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")
        if isinstance(request, dict):
            _decode_one(request, original, zone, done)
        else:
            done.refuse(FEED, original, "a service request is no JSON object")
    return done


def _requests(data: bytes, done: Decoding) -> list[Any]:
    try:
        told = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        done.refuse(FEED, data, f"no JSON: {error}" if data else "the answer is empty")
        return []
    if isinstance(told, dict):
        wrapped = [value for name, value in told.items() if name in ("service_requests", "requests", "data")]
        told = wrapped[0] if len(wrapped) == 1 else [told] if "service_code" in told else told
    if not isinstance(told, list):
        done.refuse(FEED, data, "no list of service requests")
        return []
    return told


def _decode_one(request: dict[str, Any], original: bytes, zone: str, done: Decoding) -> None:
    fields = CONTRACTS[FEED].model_fields
    body: dict[str, Any] = {name: _text(name, request.get(name), done) for name in TEXTS}
    for name in ("service_request_id", "service_code"):
        body[name] = _identifier(request.get(name))
        if body[name] is None:
            return done.refuse(FEED, original, f"{name} is missing: a token is no request yet", name)
    status = str(request.get("status")).strip().lower()
    if status not in ("open", "closed"):
        return done.refuse(FEED, original, "status is neither open nor closed", "status", request.get("status"))
    body["status"] = status
    requested = _time(request.get("requested_datetime"), zone)
    if requested is None:
        told = request.get("requested_datetime")
        return done.refuse(FEED, original, "requested_datetime is no ISO 8601 time", "requested_datetime", told)
    body["requested_datetime"] = requested
    body["updated_datetime"] = _optional_time("updated_datetime", request, zone, done) or requested
    for name in ("expected_datetime", "deadline"):
        body[name] = _optional_time(name, request, zone, done)
    body["lat"], body["long"] = _place(request, done)
    body["cost_rub"] = _number(request.get("cost_rub"))
    body["channel"] = _channel(request.get("channel"))
    for name in request:
        if name not in fields:
            done.drop(str(name))
    return done.add(FEED, body, original)


def _text(name: str, value: Any, done: Decoding) -> str | None:
    """Text, or a number as text (zip codes); an empty one is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        done.drop(f"{name} of another type")
        return None
    if value is None:
        return None
    return str(value).strip() or None


def _identifier(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _time(value: Any, zone: str) -> str | None:
    return moment(value, zone) if isinstance(value, str) else None


def _optional_time(name: str, request: dict[str, Any], zone: str, done: Decoding) -> str | None:
    value = request.get(name)
    found = _time(value, zone)
    if found is None and value not in (None, ""):
        done.drop(f"{name} that is no time")
    return found


def _number(value: Any) -> float | None:
    """A number, or one written as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if found - found == 0 else None


def _place(request: dict[str, Any], done: Decoding) -> tuple[float | None, float | None]:
    """Both or neither; 0, 0 lies in the Gulf of Guinea and means "not known"."""
    latitude, longitude = _number(request.get("lat")), _number(request.get("long"))
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        if request.get("lat") not in (None, "") or request.get("long") not in (None, ""):
            done.drop("place that is none")
        return None, None
    return latitude, longitude


def _channel(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value if value in CHANNELS else "other"


def _ids(data: bytes) -> list[str]:
    """Ids of a page, to see whether the next page is the same one."""
    return [
        str(request.get("service_request_id")) for request in _requests(data, Decoding("")) if isinstance(request, dict)
    ]
