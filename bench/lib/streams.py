"""Messages to publish: what buses and meters send, with a share that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.lib.mqtt_wire import Message

BUSES = 200
BAD_EVERY = 100
"""One message of a hundred is refused by its contract."""


def bus_messages(city: str, count: int, *, bad: bool = True) -> Iterator[Message]:
    """Single vehicle positions of 200 buses; with `bad` every hundredth has a latitude beyond the pole.

    (vehicle_id, sequence) is unique.
    """
    start = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(count):
        bus = f"bus-{number % BUSES}"
        position = {
            "vehicle_id": bus,
            "timestamp": (start + timedelta(milliseconds=number)).isoformat(),
            "latitude": 157.6 if bad and number % BAD_EVERY == BAD_EVERY - 1 else 57.6 + number % 997 / 10_000,
            "longitude": 39.9,
            "bearing_deg": float(number % 360),
            "speed_m_s": 8.5,
            "route_id": f"r{number % 12}",
            "trip_id": f"t{number % 400}",
            "boot_id": "b1",
            "sequence": number // BUSES,
        }
        yield f"gorodok/v1/{city}/vehicle_position/{bus}", json.dumps(position).encode()


def meter_batches(city: str, messages: int, each: int = 100) -> Iterator[Message]:
    """Arrays of `each` meter readings, as a concentrator sends them."""
    start = datetime.now(UTC) - timedelta(hours=1)
    for number in range(messages):
        readings = [
            {
                "meter_id": f"meter-{number % 20 * each + meter}",
                "event_time": (start + timedelta(seconds=number // 20)).isoformat(),
                "medium": "cold_water",
                "scope": "flat",
                "volume_m3": round(100 + number // 20 * 0.001 + meter, 3),  # 3.6 m3/h at one a second
                "zone_id": "dma-1",
                "house_id": f"house-{meter}",
            }
            for meter in range(each)
        ]
        yield f"gorodok/v1/{city}/meter_reading/hub-{number % 20}", json.dumps(readings).encode()
