"""Open311: Cologne's real reply, servers that stray from GeoReport v2, and paging."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from ingest.adapters.fetching import Fetcher
from ingest.adapters.open311 import Open311, decode
from ingest.adapters.source import Source

REQUEST: dict[str, Any] = {
    "service_request_id": "1",
    "status": "open",
    "service_code": "7",
    "requested_datetime": "2026-03-01T10:00:00+03:00",
}


def one(**more: Any) -> dict[str, Any]:
    done = decode(json.dumps([{**REQUEST, **more}]).encode(), "t", "Europe/Moscow")
    assert not done.refusals, done.refusals
    [text] = done.texts["complaint"]
    return dict(json.loads(text))


def reasons(**more: Any) -> list[str]:
    return [r.reason for r in decode(json.dumps([{**REQUEST, **more}]).encode(), "t").refusals]


def test_cologne_comes_whole(data: Path) -> None:
    path = data / "311/r311/koeln-requests.json"
    done = decode(path.read_bytes(), "t", "Europe/Berlin")
    rows = pl.DataFrame([json.loads(text) for text in done.texts["complaint"]], infer_schema_length=None)
    told = pl.read_json(path, infer_schema_length=None)
    assert (rows.height, done.refusals) == (told.height, [])
    assert rows["lat"].sum() == pytest.approx(told["lat"].sum(), rel=1e-12)
    assert (
        rows["service_code"]
        .value_counts()
        .sort("service_code")
        .equals(told["service_code"].value_counts().sort("service_code"))
    )
    as_told = told["requested_datetime"].str.to_datetime("%Y-%m-%dT%H:%M:%S%:z", time_zone="UTC")
    as_read = rows["requested_datetime"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.replace_time_zone("UTC")
    assert as_read.to_list() == as_told.to_list()


def test_new_request_has_the_time_of_asking() -> None:
    assert one()["updated_datetime"] == one()["requested_datetime"] == "2026-03-01T07:00:00Z"


def test_unknown_fields_are_dropped_and_counted() -> None:
    told = [{**REQUEST, "votes": 3, "extended_attributes": {"x": 1}}, {**REQUEST, "votes": 4}]
    done = decode(json.dumps(told).encode(), "t")
    assert done.rows == 2
    assert done.dropped == Counter({"votes": 2, "extended_attributes": 1})


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("2026-03-01T10:00:00", "2026-03-01T07:00:00Z"),  # naive: the server's zone
        ("2026-03-01 10:00:00", "2026-03-01T07:00:00Z"),
        ("2026-03-01 10:00:00 +0100", "2026-03-01T09:00:00Z"),
        ("2026-03-01T10:00:00+0300", "2026-03-01T07:00:00Z"),
        ("2026-03-01T10:00:00.250Z", "2026-03-01T10:00:00.250000Z"),
        ("2026-03-01T10:00Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01", "2026-02-28T21:00:00Z"),
    ],
)
def test_odd_times_are_read(told: str, read: str) -> None:
    assert one(requested_datetime=told)["requested_datetime"] == read


@pytest.mark.parametrize(
    "told", ["", None, 1772348400, "01/03/2026", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00", "x" * 9_999]
)
def test_times_that_are_none_are_refused(told: Any) -> None:
    assert len(reasons(requested_datetime=told)) == 1


def test_naive_time_of_a_jump_hour_is_read() -> None:
    text = json.dumps([{**REQUEST, "requested_datetime": "2026-03-29T02:30:00"}]).encode()
    [row] = decode(text, "t", "Europe/Berlin").texts["complaint"]
    assert json.loads(row)["requested_datetime"] == "2026-03-29T01:30:00Z"


def test_optional_time_that_is_none_costs_only_itself() -> None:
    done = decode(json.dumps([{**REQUEST, "expected_datetime": "next week"}]).encode(), "t")
    assert (done.rows, dict(done.dropped)) == (1, {"expected_datetime that is no time": 1})


def test_numbers_as_text_and_text_as_numbers() -> None:
    row = one(service_request_id=638344, service_code=42, lat="59.2", long="39.9", zipcode=160000, status="OPEN")
    assert (row["service_request_id"], row["service_code"], row["lat"], row["zipcode"]) == (
        "638344",
        "42",
        59.2,
        "160000",
    )


@pytest.mark.parametrize("place", [("", ""), (0, 0), ("0", "0.0"), (None, 39.9), ("x", "y"), ("nan", "inf"), ([], {})])
def test_place_that_is_none_is_left_out(place: tuple[Any, Any]) -> None:
    assert not {"lat", "long"} & set(one(lat=place[0], long=place[1]))


@pytest.mark.parametrize(
    "more",
    [
        {"status": "archived"},
        {"service_request_id": None},
        {"service_code": ""},
        {"service_request_id": True},
        {"lat": 91, "long": 1},
    ],
)
def test_what_cannot_be_a_complaint_is_refused(more: dict[str, Any]) -> None:
    [reason] = reasons(**more)
    assert next(iter(more)) in reason


def test_refusal_keeps_the_original() -> None:
    [refusal] = decode(json.dumps([{**REQUEST, "status": "?", "votes": 3}]).encode(), "t").refusals
    assert json.loads(refusal.payload)["votes"] == 3
    assert (refusal.field, refusal.value) == ("status", "'?'")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"null",
        b"7",
        b'"x"',
        b"{}",
        b"[",
        b"<xml/>",
        b"\xff\xfe[\x00]\x00",
        b"[" * 100_000,
        b"1" * 10_000,
        b'{"errors": []}',
    ],
)
def test_something_else_is_refused_whole(junk: bytes) -> None:
    done = decode(junk, "t")
    assert done.rows == 0
    assert [refusal.payload for refusal in done.refusals] == [junk]


def test_items_that_are_no_requests_are_refused_one_by_one() -> None:
    done = decode(json.dumps([REQUEST, 5, None, [], {}]).encode(), "t")
    assert (done.rows, len(done.refusals)) == (1, 4)


def test_byte_order_mark_and_lone_surrogate_are_survived() -> None:
    raw = b"\xef\xbb\xbf" + json.dumps([{**REQUEST, "description": "\ud800 hole"}]).encode()
    [text] = decode(raw, "t").texts["complaint"]
    assert json.loads(text)["description"] == "? hole"


END = datetime(2026, 3, 15, tzinfo=UTC)


def _answering(server: Any, requests: list[dict[str, Any]], pages: bool, most: int) -> None:
    """A GeoReport server with requests at known times; without pages it cuts at `most`, as the standard lets it."""

    def reply(connection: socket.socket, head: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(head.split()[1]).query).items()}
        wanted = [r for r in requests if query["start_date"] <= r["requested_datetime"] < query["end_date"]]
        if pages:
            size, page = int(query["page_size"]), int(query["page"])
            wanted = wanted[(page - 1) * size : page * size]
        body = json.dumps(wanted[:most]).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    server.serve(reply)


@pytest.mark.parametrize(("pages", "count"), [(True, 1_030), (True, 400), (True, 0), (False, 150), (False, 3_500)])
def test_all_requests_of_the_window_come(server: Any, pages: bool, count: int) -> None:
    step = timedelta(days=10) / max(count, 1)
    stored = [
        {**REQUEST, "service_request_id": str(n), "requested_datetime": f"{asked:%Y-%m-%dT%H:%M:%SZ}"}
        for n, asked in enumerate(END - timedelta(days=11) + n * step for n in range(count))
    ]
    _answering(server, stored, pages, most=1_000)
    source = Source(code="t", adapter="open311", url=server.url + "/requests.json", lookback_days=14, page_size=200)

    async def go() -> set[str]:
        adapter = Open311(source, now=lambda: END)
        async with Fetcher(source) as fetcher:
            documents = await adapter.fetch(fetcher)
        texts = [text for document in documents for text in adapter.decode(document).texts["complaint"]]
        return {json.loads(text)["service_request_id"] for text in texts}

    assert len(asyncio.run(go())) == count
