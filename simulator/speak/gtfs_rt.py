"""The fleet as GTFS-Realtime 2.0 protobuf (gtfs.org/documentation/realtime/reference)."""

from __future__ import annotations

from google.transit import gtfs_realtime_pb2 as rt

from simulator.life.fleet import Fleet, Run
from simulator.life.source import rfc3339
from simulator.truth import Key

STEP_S = 10
"""The feed changes so often; within a step it is the same, byte for byte."""


def vehicle_positions(fleet: Fleet, at_s: float) -> tuple[bytes, list[Key]]:
    """The last fix of every bus that is out: the same fixes as by MQTT. Keys are of vehicle_position."""
    message = _message(at_s)
    keys: list[Key] = []
    for block, vehicle_id in fleet.vehicles.items():
        fix_s = fleet.last_fix_s(vehicle_id, at_s)
        fix = fleet.fix(block, fix_s)
        if fix is None:
            continue
        vehicle = message.entity.add(id=vehicle_id).vehicle
        vehicle.vehicle.id, vehicle.vehicle.label = vehicle_id, fix["vehicle_label"]
        vehicle.vehicle.license_plate = fix["license_plate"]
        vehicle.timestamp = int(fix_s)
        vehicle.position.latitude, vehicle.position.longitude = fix["latitude"], fix["longitude"]
        vehicle.position.bearing, vehicle.position.speed = fix["bearing_deg"], fix["speed_m_s"]
        vehicle.trip.trip_id, vehicle.trip.route_id = fix["trip_id"], fix["route_id"]
        vehicle.trip.direction_id = fix["direction_id"]
        vehicle.trip.start_date, vehicle.trip.start_time = fix["start_date"], fix["start_time"]
        vehicle.stop_id, vehicle.current_stop_sequence = fix["stop_id"], fix["current_stop_sequence"]
        vehicle.current_status = rt.VehiclePosition.VehicleStopStatus.Value(fix["current_status"])
        vehicle.occupancy_status = rt.VehiclePosition.OccupancyStatus.Value(fix["occupancy_status"])
        keys.append((vehicle_id, rfc3339(int(fix_s))))
    return message.SerializeToString(), keys


def trip_updates(fleet: Fleet, at_s: float) -> tuple[bytes, list[Key]]:
    """Predicted arrivals at the stops ahead. Keys are of trip_update."""
    message = _message(at_s)
    keys: list[Key] = []
    for run, ahead in fleet.predictions(at_s):
        update = message.entity.add(id=run.trip.trip_id).trip_update
        _describe(update.trip, run)
        update.vehicle.id = run.vehicle_id
        update.timestamp = int(at_s)
        for index, arrival, departure in ahead:
            call, (planned_arrival, planned_departure) = run.trip.calls[index], run.scheduled_s[index]
            stop = update.stop_time_update.add(stop_sequence=call.sequence, stop_id=call.stop_id)
            stop.arrival.time, stop.arrival.delay = round(arrival), round(arrival - planned_arrival)
            stop.departure.time, stop.departure.delay = round(departure), round(departure - planned_departure)
            keys.append((run.trip.trip_id, run.start_date, call.sequence, call.stop_id, rfc3339(int(at_s))))
    return message.SerializeToString(), keys


def _message(at_s: float) -> rt.FeedMessage:
    message = rt.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.incrementality = rt.FeedHeader.FULL_DATASET
    message.header.timestamp = int(at_s)
    return message


def _describe(trip: rt.TripDescriptor, run: Run) -> None:
    trip.trip_id, trip.route_id, trip.direction_id = run.trip.trip_id, run.trip.route_id, run.trip.direction_id
    trip.start_date, trip.start_time = run.start_date, run.start_time
    trip.schedule_relationship = rt.TripDescriptor.SCHEDULED
