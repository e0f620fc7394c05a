"""What cameras see: containers that fill until the truck comes, people at crossings, dogs in yards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from city.geometry import Feature, features
from city.gtfs import day_start
from city.profile import City
from simulator import chance
from simulator.life.source import Reading

WASTE_STEP_S = 900
COLLECTION_H = 7.0
MISSED_SHARE = 0.12
"""Share of collections that do not happen."""
MODEL = "waste-sim-1"
LEVELS = ((0.5, "waste_empty"), (0.9, "waste_half"), (1.1, "waste_full"), (math.inf, "waste_beside"))
"""Fill of the site (1 = containers full) up to which a class holds."""
WRONG_SHARE = 0.03

PER_HOUR = {"crossing": (("person", 40.0), ("dog", 0.3)), "yard": (("person", 8.0), ("dog", 1.5), ("drone", 0.02))}
BY_HOUR = (
    .08, .05, .03, .03, .05, .2, .6, 1.3, 1.6, 1.1, .9, .9, 1.1, 1.1, 1.0, 1.2, 1.5, 1.9, 1.8, 1.4, 1.1, .8, .4, .2,
)  # fmt: skip
"""Local hour → share of the mean of a day."""


class Cameras:
    feed = "camera_event"

    def __init__(self, city: City, seed: int) -> None:
        self._zone = city.timezone
        self._seed = seed
        kinds = {site.properties.site_id: site.properties.kind for site in features(city, "sites")}
        self._cameras = [
            (device, kinds[device.properties.site_id])
            for device in features(city, "devices")
            if device.properties.kind == "camera" and device.properties.site_id in kinds
        ]

    def between(self, start_s: float, end_s: float, thin: bool) -> Iterator[Reading]:
        found: list[Reading] = []
        for camera, kind in self._cameras:
            if kind == "waste_site":
                found.extend(self._waste(camera, start_s, end_s))
            else:
                found.extend(self._passing(camera, kind, start_s, end_s))
        yield from sorted(found, key=lambda reading: (reading.at_s, reading.device))

    def fill(self, site_id: str, at_s: float) -> float:
        """How full a waste site truly is; 1 = its containers are full."""
        fill_h = 20 + 16 * chance.share(self._seed, "fill", site_id)
        return (at_s - self._emptied_s(site_id, at_s)) / 3_600 / fill_h

    def _emptied_s(self, site_id: str, at_s: float) -> float:
        """When the truck last came: about 07:00 local, some days not at all."""
        day = datetime.fromtimestamp(at_s, self._zone).date()
        for back in range(30):
            when = day - timedelta(days=back)
            hour = COLLECTION_H + 3 * chance.share(self._seed, "truck", site_id, when)
            came = chance.share(self._seed, "missed", site_id, when) >= MISSED_SHARE
            moment = day_start(when, self._zone).timestamp() + hour * 3_600
            if came and moment <= at_s:
                return moment
        return at_s - 30 * 86_400

    def _waste(self, camera: Feature, start_s: float, end_s: float) -> Iterator[Reading]:
        site_id = camera.properties.site_id
        phase = chance.number(self._seed, "look", site_id) % WASTE_STEP_S
        at = (math.floor(start_s - phase) // WASTE_STEP_S + 1) * WASTE_STEP_S + phase
        while at <= end_s:
            if at > start_s:
                chances = chance.stream(self._seed, "waste", site_id, at)
                level = next(index for index, (limit, _) in enumerate(LEVELS) if self.fill(site_id, at) < limit)
                sure = chances.betavariate(14, 2)
                if chances.random() < WRONG_SHARE:
                    level, sure = (level + 1) % len(LEVELS), chances.uniform(0.3, 0.6)
                yield self._event(camera, at, LEVELS[level][1], sure=sure, box=(0.2, 0.35, 0.55, 0.5))
            at += WASTE_STEP_S

    def _passing(self, camera: Feature, kind: str, start_s: float, end_s: float) -> Iterator[Reading]:
        """Poisson, minute by minute."""
        minute = math.floor(start_s / 60)
        while minute * 60 <= end_s:
            busy = BY_HOUR[datetime.fromtimestamp(minute * 60, self._zone).hour]
            chances = chance.stream(self._seed, "pass", camera.properties.device_id, minute)
            for class_name, per_hour in PER_HOUR[kind]:
                for number in range(_poisson(chances, per_hour * busy / 60)):
                    at = round(minute * 60 + chances.uniform(0, 60), 3)
                    box = (chances.uniform(0, 0.8), chances.uniform(0.2, 0.6), 0.08, 0.25)
                    sure, track = chances.betavariate(9, 2), f"{class_name}-{minute}-{number}"
                    if start_s < at <= end_s:
                        yield self._event(camera, at, class_name, sure=sure, box=box, track=track)
            minute += 1

    def _event(
        self,
        camera: Feature,
        at: float,
        class_name: str,
        *,
        sure: float,
        box: tuple[float, float, float, float],
        track: str | None = None,
    ) -> Reading:
        known = camera.properties
        content: dict[str, Any] = {
            "event_id": f"{known.device_id}-{round(at * 1000)}",
            "camera_id": known.device_id,
            "site_id": known.site_id,
            "class_name": class_name,
            "confidence": round(sure, 3),
            "model": MODEL,
            "latitude": round(camera.latitude, 6),
            "longitude": round(camera.longitude, 6),
        }
        content |= {f"box_{side}": round(value, 3) for side, value in zip("xywh", box, strict=True)}
        content |= {"track_id": track} if track else {}
        return Reading(self.feed, known.device_id, known.device_id, at, "event_time", content)


def _poisson(chances: Any, mean: float) -> int:
    """Knuth's method: fine for small means."""
    limit, product, count = math.exp(-mean), chances.random(), 0
    while product > limit:
        product *= chances.random()
        count += 1
    return count
