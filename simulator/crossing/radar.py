"""What a presence radar says: five times a second the one body that matters most, with noise, misses and dropouts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from simulator import chance
from simulator.crossing.people import SEEN_M, WIDTH_M, Person


@dataclass(frozen=True, slots=True)
class Radar:
    """frame_s: between two looks. miss: share of looks that miss a body. dropouts: the whole radar is blind."""

    frame_s: float = 0.2
    distance_noise_m: float = 0.25
    speed_noise_m_s: float = 0.15
    standing_m_s: float = 0.2
    miss: float = 0.08
    dropouts_hour: float = 2.0
    dropout_s: float = 3.0
    ghosts_hour: float = 1.0
    """Looks at which rain or a leaf seems to be somebody coming."""


@dataclass(frozen=True, slots=True)
class Message:
    """at_s: seconds since the start; reading: distance_m to the kerb, speed_m_s, direction."""

    at_s: float
    reading: dict[str, Any]


def messages(found: Iterable[Person], seed: int, radar: Radar | None = None) -> Iterator[Message]:
    """The radar's messages in order of time."""
    radar = radar or Radar()
    noise = chance.stream(seed, "radar")
    coming = list(found)
    if not coming:
        return
    end_s = max(person.until_s for person in coming)
    blind = list(_dropouts(radar, end_s, noise))
    ghosts = sorted(noise.uniform(0, end_s) for _ in range(round(radar.ghosts_hour * end_s / 3_600)))
    present: list[Person] = []
    upcoming, frame = 0, 0
    while frame * radar.frame_s <= end_s:
        at_s = round(frame * radar.frame_s, 3)
        while upcoming < len(coming) and coming[upcoming].from_s <= at_s:
            present.append(coming[upcoming])
            upcoming += 1
        present = [person for person in present if person.until_s >= at_s]
        while blind and blind[0][1] < at_s:
            blind.pop(0)
        ghost = bool(ghosts) and ghosts[0] <= at_s
        if ghost:
            ghosts.pop(0)
        if not (blind and blind[0][0] <= at_s):
            said = [_look(person, at_s, radar, noise) for person in present if noise.random() >= radar.miss]
            if ghost:
                away_m, speed = round(noise.uniform(0.2, 3), 2), round(noise.uniform(0.5, 3), 2)
                said.append({"distance_m": away_m, "speed_m_s": speed, "direction": "toward"})
            if said:
                yield Message(at_s, min(said, key=_rank))
        if not present and not ghosts and upcoming < len(coming):
            frame = max(frame + 1, int(coming[upcoming].from_s / radar.frame_s))  # nobody: nothing to say
        else:
            frame += 1


def _look(person: Person, at_s: float, radar: Radar, noise: Random) -> dict[str, Any]:
    place, speed = person.where(at_s)
    place += noise.gauss(0, radar.distance_noise_m)
    speed += noise.gauss(0, radar.speed_noise_m_s)
    outside = max(-place, place - WIDTH_M)
    toward = speed if place < WIDTH_M / 2 else -speed
    if outside < 0:
        direction = "crossing"
    elif toward > radar.standing_m_s:
        direction = "toward"
    elif toward < -radar.standing_m_s:
        direction = "away"
    else:
        direction = "along"
    return {"distance_m": round(min(max(outside, 0.0), SEEN_M), 2), "speed_m_s": round(abs(speed), 2),
            "direction": direction}  # fmt: skip


def _rank(reading: dict[str, Any]) -> tuple[int, float]:
    """On the carriageway first; then who comes, the soonest at the kerb; then the nearest."""
    direction, distance = reading["direction"], reading["distance_m"]
    if direction == "crossing":
        return 0, 0.0
    if direction == "toward":
        return 1, distance / max(reading["speed_m_s"], 0.1)
    return (2 if direction == "along" else 3), distance


def _dropouts(radar: Radar, end_s: float, noise: Random) -> Iterator[tuple[float, float]]:
    at_s = 0.0
    while radar.dropouts_hour:
        at_s += noise.expovariate(radar.dropouts_hour / 3_600)
        if at_s > end_s:
            return
        yield at_s, at_s + noise.expovariate(1 / radar.dropout_s)
