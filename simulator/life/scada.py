"""The network's sensors: inlet flow = what the meters count + what the pipes lose; pressure and level follow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime

from city.geometry import features
from city.gtfs import day_start
from city.profile import City
from simulator import chance
from simulator.life.source import Reading
from simulator.life.water import Water

STEP_S = 300
BACKGROUND_SHARE = 0.08
"""Water that always seeps away, as a share of the area's mean use."""
HEAD_M = 46.0
TANK_AREA_M2 = 90.0
TANK_MIDDLE_M = 3.0


class Scada:
    """A flow value is the mean of the five minutes before its time."""

    feed = "scada_reading"

    def __init__(
        self, city: City, water: Water, seed: int, *, leak_zone: str | None, leak_m3_h: float, leak_from_s: float
    ) -> None:
        self._zone = city.timezone
        self._water = water
        self._seed = seed
        self._leak = (leak_zone, leak_m3_h, leak_from_s)
        devices = [device.properties for device in features(city, "devices")]
        self._sensors = [device for device in devices if device.kind == "scada" and device.quantity]
        day = day_start(datetime.fromtimestamp(leak_from_s, self._zone).date(), self._zone).timestamp()
        self._mean_m3_h = {zone: max(water.used_m3(zone, day, day + 86_399) / 24, 0.01) for zone in water.zones}

    def leak_m3(self, zone_id: str, start_s: float, end_s: float) -> float:
        """Water that truly got lost in an area: seepage, and the burst main."""
        lost = BACKGROUND_SHARE * self._mean_m3_h[zone_id] * (end_s - start_s) / 3_600
        leak_zone, leak_m3_h, leak_from_s = self._leak
        if zone_id == leak_zone:
            lost += leak_m3_h * max(0.0, end_s - max(start_s, leak_from_s)) / 3_600
        return lost

    def inflow_m3(self, zone_id: str, start_s: float, end_s: float) -> float:
        return self._water.used_m3(zone_id, start_s, end_s) + self.leak_m3(zone_id, start_s, end_s)

    def between(self, start_s: float, end_s: float, thin: bool) -> Iterator[Reading]:
        at = (math.floor(start_s / STEP_S) + 1) * STEP_S
        while at <= end_s:
            for sensor in self._sensors:
                content = {
                    "sensor_id": sensor.device_id,
                    "quantity": sensor.quantity,
                    "value": round(self._value(sensor.quantity, sensor.zone_id, at), 3),
                    "role": sensor.role or "internal",
                    "zone_id": sensor.zone_id,
                    "quality": "good",
                }
                yield Reading(self.feed, f"rtu-{sensor.zone_id}", sensor.device_id, at, "event_time", content)
            at += STEP_S

    def _value(self, quantity: str, zone_id: str, at: float) -> float:
        if quantity == "flow_m3_h":
            return self._flow(zone_id, at)
        if quantity == "pressure_m":
            ratio = self._flow(zone_id, at) / self._mean_m3_h[zone_id]
            loss: float = 2.2 * ratio**1.85
            return HEAD_M - loss + chance.stream(self._seed, "head", zone_id, at).gauss(0, 0.15)
        return self._level(zone_id, at)

    def _flow(self, zone_id: str, at: float) -> float:
        """The noise of a pair of steps cancels out, so that a day's sum is the truth."""
        pair = at // (2 * STEP_S)
        noise = 0.03 * (chance.share(self._seed, "flow", zone_id, pair) - 0.5) * self._mean_m3_h[zone_id]
        sign = 1 if (at // STEP_S) % 2 else -1
        return max(0.0, self.inflow_m3(zone_id, at - STEP_S, at) * 3_600 / STEP_S + sign * noise)

    def _level(self, zone_id: str, at: float) -> float:
        """The tank is filled evenly over the day and emptied by use: same level each midnight."""
        start = day_start(datetime.fromtimestamp(at, self._zone).date(), self._zone).timestamp()
        whole = self._water.used_m3(zone_id, start, start + 86_399)
        filled = whole * (at - start) / 86_400 - self._water.used_m3(zone_id, start, max(at, start + 1))
        return max(0.0, TANK_MIDDLE_M + filled / TANK_AREA_M2)
