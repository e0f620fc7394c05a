"""Public warnings: a critical one soon after the start, weather now and then. Each is a CAP 1.2 message."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from city.geometry import features
from city.profile import City
from simulator import chance
from simulator.life.source import rfc3339

HISTORY_DAYS = 2
CRITICAL_LASTS_S = 900.0
WEATHER_SHARE = 0.5
"""Share of days with a weather warning."""


@dataclass(frozen=True, slots=True)
class Info:
    language: str
    category: str
    event: str
    response: str
    urgency: str
    severity: str
    certainty: str
    headline: str
    description: str
    instruction: str
    area: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Times in seconds since 1970; polygon as CAP writes it: "lat,lon lat,lon …", closed."""

    identifier: str
    sender: str
    sent_s: float
    expires_s: float
    status: str
    msg_type: str
    polygon: str
    infos: tuple[Info, ...]
    references: tuple[str, ...] = field(default=())

    @property
    def sent(self) -> str:
        """CAP wants an offset and no Z."""
        return rfc3339(self.sent_s).replace("Z", "+00:00")


ATTACK = (
    Info("ru-RU", "Safety", "Угроза атаки БПЛА", "Shelter", "Immediate", "Extreme", "Likely",
         "Внимание! Угроза атаки беспилотников",
         "Возможна атака беспилотных летательных аппаратов.",
         "Пройдите в ближайшее укрытие. Двери укрытий открыты. Держитесь дальше от окон.", "Городок"),
    Info("en-US", "Safety", "Drone attack threat", "Shelter", "Immediate", "Extreme", "Likely",
         "Attention! Threat of a drone attack",
         "An attack by unmanned aircraft is possible.",
         "Go to the nearest shelter. Shelter doors are open. Keep away from windows.", "Gorodok"),
)  # fmt: skip
ALL_CLEAR = (
    Info("ru-RU", "Safety", "Отбой угрозы атаки БПЛА", "AllClear", "Past", "Minor", "Observed",
         "Отбой угрозы атаки беспилотников", "Угроза миновала.", "Можно выйти из укрытия.", "Городок"),
    Info("en-US", "Safety", "Drone attack threat is over", "AllClear", "Past", "Minor", "Observed",
         "The threat of a drone attack is over", "The threat has passed.", "You may leave the shelter.", "Gorodok"),
)  # fmt: skip
WEATHER = (
    ("Сильный ветер", "High wind", "Порывы до 20 м/с.", "Gusts up to 20 m/s."),
    ("Гололёд", "Ice", "Местами гололедица.", "Icy patches in places."),
    ("Сильный снег", "Heavy snow", "До 12 мм осадков за 12 часов.", "Up to 12 mm in 12 hours."),
)


class Alerts:
    feed = "alert"

    def __init__(self, city: City, seed: int, status: str, critical_at_s: float | None) -> None:
        self._seed = seed
        self._status = status
        self._critical_at_s = critical_at_s
        self._sender = f"edds@{city.code}.example"
        edge = features(city, "boundary")[0].geometry
        ring = max(getattr(edge, "geoms", [edge]), key=lambda part: part.area).exterior.coords
        self._polygon = " ".join(f"{latitude:.6f},{longitude:.6f}" for longitude, latitude in ring)

    def between(self, start_s: float, end_s: float) -> Iterator[Alert]:
        """Warnings with start < sent <= end, in order of time."""
        found = [*self._critical(), *self._weather(start_s, end_s)]
        yield from sorted((a for a in found if start_s < a.sent_s <= end_s), key=lambda alert: alert.sent_s)

    def _critical(self) -> Iterator[Alert]:
        if self._critical_at_s is None:
            return
        at = math.floor(self._critical_at_s)
        first = self._alert(f"uav-{at}", at, CRITICAL_LASTS_S, "Alert", ATTACK)
        yield first
        over = at + CRITICAL_LASTS_S
        reference = f"{first.sender},{first.identifier},{first.sent}"
        yield self._alert(f"uav-{at}-over", over, 3_600, "Update", ALL_CLEAR, reference)

    def _weather(self, start_s: float, end_s: float) -> Iterator[Alert]:
        for day in range(math.floor(start_s / 86_400), math.floor(end_s / 86_400) + 1):
            chances = chance.stream(self._seed, "weather", day)
            if chances.random() < WEATHER_SHARE:
                at = day * 86_400 + chances.randrange(86_400)
                event_ru, event_en, text_ru, text_en = chances.choice(WEATHER)
                advice = ("Будьте осторожны.", "Take care.")
                infos = (
                    Info("ru-RU", "Met", event_ru, "Monitor", "Expected", "Moderate", "Likely", event_ru, text_ru,
                         advice[0], "Городок"),
                    Info("en-US", "Met", event_en, "Monitor", "Expected", "Moderate", "Likely", event_en, text_en,
                         advice[1], "Gorodok"),
                )  # fmt: skip
                yield self._alert(f"met-{at}", at, 12 * 3_600, "Alert", infos)

    def _alert(
        self,
        identifier: str,
        sent_s: float,
        lasts_s: float,
        msg_type: str,
        infos: tuple[Info, ...],
        *references: str,
    ) -> Alert:
        return Alert(
            identifier, self._sender, sent_s, sent_s + lasts_s, self._status, msg_type, self._polygon, infos, references
        )
