"""GTFS-Realtime (gtfs.org/realtime/reference): vehicle positions and trip updates of a protobuf FeedMessage.

The bindings are Google's own (`gtfs-realtime-bindings`): generated from the reference's .proto, so that a new field or
enum value comes with a new version of them and not with our code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

import numpy as np
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from google.transit import gtfs_realtime_pb2 as pb

from ingest.adapters.decoding import Decoding
from ingest.adapters.fetching import Document, Fetcher
from ingest.adapters.source import Source
from ingest.contracts import CONTRACTS

FEED = "vehicle_position"
"""Feed of a refusal that cannot be told to be about something else."""

MAX_BYTES = 64 * 2**20
LATEST_POSIX = 4_102_444_800
"""2100-01-01: a larger number is most likely in milliseconds."""


class UnusableEntityError(Exception):
    """An entity lacks what our contract needs."""

    def __init__(self, reason: str, field: str | None = None, value: object = None) -> None:
        super().__init__(reason)
        self.reason, self.field, self.value = reason, field, value


class GtfsRt:
    """One document a fetch: a FeedMessage replaces the one before it."""

    max_bytes = MAX_BYTES

    def __init__(self, source: Source) -> None:
        self._source = source

    async def fetch(self, fetcher: Fetcher) -> list[Document]:
        return [await fetcher.get(self._source.url)]

    def decode(self, document: Document) -> Decoding:
        return decode(document.data, document.source)


def decode(data: bytes, source: str) -> Decoding:
    """Vehicle positions and, one row a stop, trip updates; service alerts and deleted entities are dropped, counted.

    An enum value that the bindings do not know is no value (None): protobuf hides it. An entity that lacks a position,
    a vehicle's id, a trip's id or any time is refused with its own bytes.
    """
    done = Decoding(source)
    message = pb.FeedMessage()
    try:
        message.ParseFromString(data)
        whole = message.IsInitialized()
    except (DecodeError, ValueError, RecursionError) as error:
        done.refuse(FEED, data, f"no GTFS-Realtime: {error}")
        return done
    if not whole or not message.HasField("header"):
        done.refuse(FEED, data, "no GTFS-Realtime: the header is missing (is it JSON, or a web page?)")
        return done
    for entity in message.entity:
        _decode_entity(entity, message.header.timestamp, done)
    return done


def _decode_entity(entity: Any, header_time: int, done: Decoding) -> None:
    if entity.is_deleted:
        done.drop("deleted entity")
        return
    if entity.HasField("vehicle"):
        _guarded(FEED, entity.vehicle, done, lambda: [_position(entity.vehicle, header_time)])
    if entity.HasField("trip_update"):
        _guarded("trip_update", entity.trip_update, done, lambda: _stops(entity.trip_update, header_time))
    if entity.HasField("alert"):
        done.drop("service alert")


def _guarded(feed: str, part: Message, done: Decoding, bodies: Any) -> None:
    """Adds the bodies of one part of an entity, or refuses the part."""
    original = part.SerializePartialToString()
    try:
        for body in bodies():
            _check_text(body)
            done.add(feed, body, original)
    except UnusableEntityError as error:
        done.refuse(feed, original, error.reason, error.field, error.value)
    except UnicodeDecodeError as error:
        done.refuse(feed, original, f"text that is no UTF-8: {error}")


def _check_text(body: dict[str, Any]) -> None:
    """protobuf does not check the text of a proto2 message: what is no UTF-8 comes as bytes (upb), or raises."""
    for name, value in body.items():
        if isinstance(value, bytes):
            raise UnusableEntityError("text that is no UTF-8", name, value)


def _position(vehicle: Any, header_time: int) -> dict[str, Any]:
    if not vehicle.HasField("position"):
        raise UnusableEntityError("the vehicle has no position", "position")
    if not vehicle.vehicle.id:
        raise UnusableEntityError("the vehicle has no vehicle.id", "vehicle.id")
    position, trip = vehicle.position, vehicle.trip
    return {
        "vehicle_id": vehicle.vehicle.id,
        "timestamp": _moment("timestamp", vehicle.timestamp or header_time, required=True),
        "latitude": _finite("latitude", position.latitude),
        "longitude": _finite("longitude", position.longitude),
        "bearing_deg": _optional(position, "bearing"),
        "speed_m_s": _optional(position, "speed"),
        "odometer_m": _double(position, "odometer"),
        **_trip(trip, "schedule_relationship", FEED),
        "stop_id": vehicle.stop_id or None,
        "current_stop_sequence": _set(vehicle, "current_stop_sequence"),
        "current_status": _name(vehicle, "current_status", FEED, "current_status"),
        "congestion_level": _name(vehicle, "congestion_level", FEED, "congestion_level"),
        "occupancy_status": _name(vehicle, "occupancy_status", FEED, "occupancy_status"),
        "vehicle_label": vehicle.vehicle.label or None,
        "license_plate": vehicle.vehicle.license_plate or None,
    }


def _stops(update: Any, header_time: int) -> Iterator[dict[str, Any]]:
    """One body a stop; one without a stop for a trip that says nothing of its stops (as a cancelled one)."""
    if not update.trip.trip_id:
        raise UnusableEntityError("the trip update has no trip.trip_id", "trip.trip_id")
    common = {
        **_trip(update.trip, "trip_schedule_relationship", "trip_update"),
        "timestamp": _moment("timestamp", update.timestamp or header_time, required=True),
        "vehicle_id": update.vehicle.id or None,
    }
    if not update.stop_time_update:
        yield common
    for stop in update.stop_time_update:
        yield {
            **common,
            "stop_sequence": _set(stop, "stop_sequence"),
            "stop_id": stop.stop_id or None,
            "arrival_time": _moment("arrival.time", stop.arrival.time),
            "arrival_delay_s": _set(stop.arrival, "delay"),
            "departure_time": _moment("departure.time", stop.departure.time),
            "departure_delay_s": _set(stop.departure, "delay"),
            "stop_schedule_relationship": _name(
                stop, "schedule_relationship", "trip_update", "stop_schedule_relationship"
            ),
        }


def _trip(trip: Any, relationship_field: str, feed: str) -> dict[str, Any]:
    return {
        "trip_id": trip.trip_id or None,
        "route_id": trip.route_id or None,
        "direction_id": _set(trip, "direction_id"),
        "start_date": trip.start_date or None,
        "start_time": trip.start_time or None,
        relationship_field: _name(trip, "schedule_relationship", feed, relationship_field),
    }


def _set(message: Any, name: str) -> int | None:
    return int(getattr(message, name)) if message.HasField(name) else None


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise UnusableEntityError(f"{name} is no number", name, value)
    return _short(value)


def _optional(message: Any, name: str) -> float | None:
    value = getattr(message, name)
    return _short(value) if message.HasField(name) and math.isfinite(value) else None


def _double(message: Any, name: str) -> float | None:
    value = getattr(message, name)
    return float(value) if message.HasField(name) and math.isfinite(value) else None


def _short(value: float) -> float:
    """The shortest decimal of a 32-bit float: 38.245445, not the 38.24544525146484 of its widening to 64 bits."""
    return float(str(np.float32(value)))


def _moment(name: str, posix: int, required: bool = False) -> str | None:
    """RFC 3339 of POSIX seconds; 0 is protobuf's "not said"."""
    if posix == 0 and not required:
        return None
    if posix == 0:
        raise UnusableEntityError(f"no {name}, and the feed's header has none either", name)
    if not 0 < posix < LATEST_POSIX:
        raise UnusableEntityError(f"{name} is not in POSIX seconds (milliseconds?)", name, posix)
    return datetime.fromtimestamp(posix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _name(message: Any, field: str, feed: str, contract_field: str) -> str | None:
    """The enum value's name where the contract knows it."""
    if not message.HasField(field):
        return None
    descriptor = message.DESCRIPTOR.fields_by_name[field].enum_type
    known = descriptor.values_by_number.get(getattr(message, field))
    return known.name if known is not None and known.name in _names(feed, contract_field) else None


@cache
def _names(feed: str, contract_field: str) -> frozenset[str]:
    """The names that a contract's Literal allows."""
    annotation = CONTRACTS[feed].model_fields[contract_field].annotation
    return frozenset(
        name for part in (annotation, *get_args(annotation)) for name in get_args(part) if isinstance(name, str)
    )
