"""GTFS-Realtime, Open311 and CAP over real HTTP, parsed by means of their own."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from google.transit import gtfs_realtime_pb2
from lxml import etree

from city.gtfs import read_gtfs
from city.profile import load_city
from city.settings import Settings
from simulator.life.alerts import Alerts
from simulator.life.complaints import Complaints
from simulator.life.fleet import Fleet
from simulator.options import Options
from simulator.speak.web import Web, World
from simulator.truth import Truth, totals, truth_path

CITY = load_city(Settings(city="gorodok"))
NS = {"atom": "http://www.w3.org/2005/Atom", "cap": "urn:oasis:names:tc:emergency:cap:1.2"}


def serve(tmp_path, options: Options) -> tuple[Web, Truth]:
    settings = Settings(home=tmp_path, simulator_port=0)
    truth = Truth(truth_path(settings))
    world = World(
        CITY,
        options,
        truth,
        fleet=Fleet(CITY, read_gtfs(CITY.folder), 1),
        complaints=Complaints(CITY, 1),
        alerts=Alerts(CITY, 1, "Exercise", time.time() - 60),
    )
    web = Web(settings, world)
    web.start()
    return web, truth


@pytest.fixture
def web(tmp_path) -> Iterator[str]:
    server, truth = serve(tmp_path, Options())
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    truth.close()


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    asked = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def feed(url: str) -> gtfs_realtime_pb2.FeedMessage:
    message = gtfs_realtime_pb2.FeedMessage()
    message.ParseFromString(get(url)[1])
    assert message.IsInitialized()
    return message


def requests(web: str, **query: str) -> list[dict]:
    status, body, _ = get(f"{web}/open311/v2/requests.json?{urllib.parse.urlencode(query)}")
    assert status == 200, body
    return json.loads(body)


def test_vehicle_positions_join_the_timetable(web):
    timetable = read_gtfs(CITY.folder)
    message = feed(f"{web}/gtfs-rt/vehicle-positions.pb")
    assert message.header.gtfs_realtime_version == "2.0"
    assert abs(message.header.timestamp - time.time()) < 15
    assert len(message.entity) >= 3
    for entity in message.entity:
        vehicle = entity.vehicle
        trip = timetable.trips[vehicle.trip.trip_id]
        assert (trip.route_id, trip.direction_id) == (vehicle.trip.route_id, vehicle.trip.direction_id)
        assert vehicle.stop_id in [
            call.stop_id for call in trip.calls if call.sequence == vehicle.current_stop_sequence
        ]
        assert 0 <= message.header.timestamp - vehicle.timestamp <= 15
        assert CITY.bounds.holds(vehicle.position.latitude, vehicle.position.longitude)


def test_trip_updates_join_the_timetable_and_speak_of_the_future(web):
    timetable = read_gtfs(CITY.folder)
    message = feed(f"{web}/gtfs-rt/trip-updates.pb")
    assert len(message.entity) >= 3
    for entity in message.entity:
        update = entity.trip_update
        calls = {call.sequence: call.stop_id for call in timetable.trips[update.trip.trip_id].calls}
        assert update.stop_time_update
        for stop in update.stop_time_update:
            assert calls[stop.stop_sequence] == stop.stop_id
            assert stop.arrival.time <= stop.departure.time


def test_conditional_get(web):
    url = f"{web}/gtfs-rt/vehicle-positions.pb"
    for _ in range(3):  # the feed's step may turn between two requests
        _, body, headers = get(url)
        by_tag = get(url, If_None_Match=headers["ETag"])
        by_time = get(url, If_Modified_Since=headers["Last-Modified"])
        if (by_tag[0], by_time[0]) == (304, 304):
            assert by_tag[1] == b""
            break
    else:
        pytest.fail("three times not 304")
    assert get(url, If_None_Match='"another"')[:1] == (200,)
    assert get(url, If_Modified_Since="Thu, 01 Jan 2026 00:00:00 GMT")[0] == 200
    assert get(url, If_Modified_Since="not a date")[0] == 200
    assert len(body) > 100


def test_static_timetable_is_there_too(web):
    with zipfile.ZipFile(io.BytesIO(get(f"{web}/gtfs.zip")[1])) as archive:
        assert archive.testzip() is None
        assert archive.read("stops.txt") == (CITY.folder / "gtfs" / "stops.txt").read_bytes()


def test_open311_pages_make_the_whole(web):
    end = datetime.now(UTC) - timedelta(minutes=1)
    window = {"start_date": (end - timedelta(days=10)).isoformat(), "end_date": end.isoformat()}
    whole = requests(web, **window)
    assert len(whole) > 150
    paged, page = [], 1
    while part := requests(web, **window, page=str(page), page_size="40"):
        paged += part
        page += 1
    assert [one["service_request_id"] for one in paged] == [one["service_request_id"] for one in whole]
    asked = [datetime.fromisoformat(one["requested_datetime"]) for one in whole]
    assert end - timedelta(days=10) <= min(asked) <= max(asked) <= end


def test_open311_filters(web):
    closed = requests(web, status="closed")
    assert {one["status"] for one in closed} == {"closed"}
    leaks = requests(web, service_code="water_leak")
    assert {one["service_code"] for one in leaks} == {"water_leak"}
    one = closed[3]["service_request_id"]
    assert [found["service_request_id"] for found in requests(web, service_request_id=one)] == [one]
    since = (datetime.now(UTC) - timedelta(hours=6)).isoformat()
    changed = requests(web, updated_after=since)
    assert changed
    assert all(found["updated_datetime"] >= since[:19] for found in changed)
    [single] = json.loads(get(f"{web}/open311/v2/requests/{one}.json")[1])
    assert single["service_request_id"] == one


def test_open311_services_are_those_of_the_requests(web):
    services = json.loads(get(f"{web}/open311/v2/services.json")[1])
    assert {one["service_code"] for one in services} == {service.code for service in CITY.services}
    assert {one["service_code"] for one in requests(web)} <= {one["service_code"] for one in services}


def test_open311_errors_are_geo_report_errors(web):
    for path in ("requests.json?start_date=yesterday", "requests.json?page=0", "requests.json?colour=red"):
        status, body, _ = get(f"{web}/open311/v2/{path}")
        assert (status, json.loads(body)[0]["code"]) == (400, 400)
    assert get(f"{web}/open311/v2/requests/nobody.json")[0] == 404
    assert get(f"{web}/elsewhere")[0] == 404


def test_cap_index_leads_to_cap_files(web):
    index = etree.fromstring(get(f"{web}/cap/index.atom")[1])
    links = index.xpath("atom:entry/atom:link[@type='application/cap+xml']/@href", namespaces=NS)
    assert links
    assert len(set(index.xpath("atom:entry/atom:id/text()", namespaces=NS))) == len(links)
    severities = set()
    for link in links:
        status, body, headers = get(link)
        assert (status, headers["Content-Type"]) == (200, "application/cap+xml")
        alert = etree.fromstring(body)
        order = [etree.QName(child).localname for child in alert]
        expected = ["identifier", "sender", "sent", "status", "msgType", "scope", "references", "info"]
        assert order == sorted(order, key=expected.index), "CAP 1.2 is a sequence"
        assert alert.findtext("cap:status", namespaces=NS) == "Exercise"
        assert {"ru-RU", "en-US"} == set(alert.xpath("cap:info/cap:language/text()", namespaces=NS))
        severities |= set(alert.xpath("cap:info/cap:severity/text()", namespaces=NS))
        ring = alert.findtext("cap:info/cap:area/cap:polygon", namespaces=NS).split()
        assert len(ring) >= 4
        assert ring[0] == ring[-1]
        assert all(CITY.bounds.holds(*map(float, point.split(","))) for point in ring)
    assert "Extreme" in severities


def test_truth_knows_what_was_served(tmp_path):
    web, truth = serve(tmp_path, Options())
    base = f"http://127.0.0.1:{web.port}"
    found, message = requests(base), feed(f"{base}/gtfs-rt/trip-updates.pb")
    web.stop()
    truth.close()
    known = totals(truth_path(Settings(home=tmp_path)))
    assert known["complaint"].served == {
        (one["service_request_id"], one["updated_datetime"], one["status"]) for one in found
    }
    assert len(known["trip_update"].served) == sum(len(one.trip_update.stop_time_update) for one in message.entity)


def test_a_silent_feed_is_out_of_service(tmp_path):
    web, truth = serve(tmp_path, Options(silent=("alert",)))
    base = f"http://127.0.0.1:{web.port}"
    assert get(f"{base}/cap/index.atom")[0] == 503
    assert get(f"{base}/open311/v2/services.json")[0] == 200
    web.stop()
    truth.close()
