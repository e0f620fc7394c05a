"""GTFS-Realtime: real captures come whole, and every entity that lacks something is refused by name."""

from __future__ import annotations

import bz2
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from google.transit import gtfs_realtime_pb2 as pb

from ingest.adapters.decoding import Decoding
from ingest.adapters.gtfs_rt import decode

NOW = 1_775_069_766


def feed(build: Callable[[pb.FeedEntity], None], header_time: int = NOW) -> bytes:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = header_time
    entity = message.entity.add()
    entity.id = "1"
    build(entity)
    return bytes(message.SerializeToString())


def bus(entity: pb.FeedEntity) -> None:
    entity.vehicle.vehicle.id = "bus-1"
    entity.vehicle.position.latitude = 59.2
    entity.vehicle.position.longitude = 39.9


def only(done: Decoding, name: str = "vehicle_position") -> dict[str, object]:
    assert not done.refusals, done.refusals
    [text] = done.texts[name]
    return dict(json.loads(text))


def test_louisville_positions_are_all_there(data: Path) -> None:
    raw = bz2.decompress((data / "transit/louisville_vehicle_positions.pb.bz2").read_bytes())
    done = decode(raw, "t")
    assert (done.rows, done.refusals) == (78, [])
    first = json.loads(done.texts["vehicle_position"][0])
    assert first["vehicle_id"] == "1355"
    assert first["timestamp"] == "2026-04-01T18:55:55Z"
    assert first["occupancy_status"] == "MANY_SEATS_AVAILABLE"
    assert first["latitude"] == pytest.approx(38.2454453, abs=4e-6)


def test_louisville_trip_updates_are_one_row_a_stop(data: Path) -> None:
    raw = bz2.decompress((data / "transit/louisville_trip_updates.pb.bz2").read_bytes())
    message = pb.FeedMessage.FromString(raw)
    done = decode(raw, "t")
    rows = [json.loads(text) for text in done.texts["trip_update"]]
    told = [stop for entity in message.entity for stop in entity.trip_update.stop_time_update]
    assert (len(rows), done.refusals) == (15_216, [])
    assert sum(row.get("arrival_delay_s", 0) for row in rows) == sum(stop.arrival.delay for stop in told)
    assert sum(row["stop_schedule_relationship"] == "SKIPPED" for row in rows) == 30
    assert sum(row["stop_schedule_relationship"] == "NO_DATA" for row in rows) == 13


@pytest.mark.parametrize(
    ("file", "rows", "refused"),
    [
        ("nyct/1707397157.ace.pb", 2_879, 160),  # 2,862 stops and 17 trips without one; the subway gives no positions
        ("transitland/bart-trip-updates.pb", 1_060, 0),  # no timestamps of their own: the header's
        ("maglev/raba-vehicle-positions.pb", 22, 0),  # vehicles without a trip
        ("maglev/unitrans-trip-updates.pb", 516, 0),
        ("oba/wmata_service_day_4/00:04.wmata.pb", 7_461, 0),
    ],
)
def test_hard_cases_of_other_cities(data: Path, file: str, rows: int, refused: int) -> None:
    done = decode((data / "transit" / file).read_bytes(), "t")
    assert (done.rows, len(done.refusals)) == (rows, refused)
    assert {refusal.field for refusal in done.refusals} <= {"position"}


def test_header_time_stands_in() -> None:
    assert only(decode(feed(bus), "t"))["timestamp"] == "2026-04-01T18:56:06Z"


@pytest.mark.parametrize(
    ("spoil", "field", "reason"),
    [
        (lambda v: v.ClearField("position"), "position", "no position"),
        (lambda v: v.vehicle.ClearField("id"), "vehicle.id", "no vehicle.id"),
        (lambda v: setattr(v, "timestamp", NOW * 1000), "timestamp", "milliseconds"),
        (lambda v: setattr(v, "timestamp", 2**64 - 1), "timestamp", "POSIX"),
        (lambda v: setattr(v.position, "latitude", float("nan")), "latitude", "no number"),
        (lambda v: setattr(v.position, "latitude", 91.0), "latitude", "less than or equal to 90"),
        (lambda v: setattr(v.position, "longitude", float("inf")), "longitude", "no number"),
        (lambda v: setattr(v.vehicle, "id", "x" * 500), "vehicle_id", "128"),
        (lambda v: setattr(v.trip, "start_date", "yesterday"), "start_date", "pattern"),
    ],
)
def test_unusable_entity_is_refused_with_its_bytes(
    spoil: Callable[[pb.VehiclePosition], None], field: str, reason: str
) -> None:
    def build(entity: pb.FeedEntity) -> None:
        bus(entity)
        spoil(entity.vehicle)

    done = decode(feed(build), "t")
    [refusal] = done.refusals
    assert done.rows == 0
    assert refusal.field == field
    assert reason in refusal.reason
    assert pb.VehiclePosition.FromString(refusal.payload)


def test_no_time_anywhere_is_refused() -> None:
    [refusal] = decode(feed(bus, header_time=0), "t").refusals
    assert "header has none" in refusal.reason


def test_one_bad_entity_does_not_hinder_the_next() -> None:
    message = pb.FeedMessage.FromString(feed(bus))
    message.entity.add(id="2").vehicle.vehicle.id = "no-position"
    done = decode(message.SerializeToString(), "t")
    assert (done.rows, len(done.refusals)) == (1, 1)


def test_unknown_enum_value_is_no_value() -> None:
    """77 is no VehicleStopStatus: protobuf puts it aside, and we must not guess the default instead."""

    def build(entity: pb.FeedEntity) -> None:
        bus(entity)
        entity.vehicle.current_status = pb.VehiclePosition.STOPPED_AT

    raw = bytearray(feed(build))
    at = raw.rindex(b"\x20\x01")  # field 4, varint, value 1
    raw[at + 1] = 77
    assert "current_status" not in only(decode(bytes(raw), "t"))


def test_unset_enums_are_not_invented() -> None:
    row = only(decode(feed(bus), "t"))
    assert not {"current_status", "congestion_level", "occupancy_status", "schedule_relationship"} & set(row)


def test_cancelled_trip_without_stops_is_one_row() -> None:
    def build(entity: pb.FeedEntity) -> None:
        entity.trip_update.trip.trip_id = "t1"
        entity.trip_update.trip.schedule_relationship = pb.TripDescriptor.CANCELED

    row = only(decode(feed(build), "t"), "trip_update")
    assert row["trip_schedule_relationship"] == "CANCELED"


def test_service_alerts_and_deleted_entities_are_counted() -> None:
    message = pb.FeedMessage.FromString(feed(bus))
    message.entity.add(id="2").alert.url.translation.add(text="x")
    message.entity.add(id="3", is_deleted=True)
    done = decode(message.SerializeToString(), "t")
    assert dict(done.dropped) == {"service alert": 1, "deleted entity": 1}


@pytest.mark.parametrize("junk", [b"", b"{}", b"<html>", b"\x00" * 50, b"\xff" * 50, b"\x0a\x00", bytes(range(256))])
def test_something_else_is_refused_whole(junk: bytes) -> None:
    done = decode(junk, "t")
    assert done.rows == 0
    assert [refusal.payload for refusal in done.refusals] == [junk]


def test_text_that_is_no_utf8_is_refused() -> None:
    raw = feed(bus).replace(b"bus-1", b"bus-\xff")
    done = decode(raw, "t")
    assert done.rows == 0
    assert len(done.refusals) == 1
