"""Residents' requests and what becomes of them: open → taken by an executor → closed, some of them too late."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.geometry import Feature, features
from city.profile import City, Service
from simulator import chance
from simulator.life.cameras import BY_HOUR
from simulator.life.source import rfc3339

PER_DAY = 36.0
HISTORY_DAYS = 30
CHANNELS = ("web", "phone", "telegram", "walk_in")
WORDS = {
    "water_leak": ("Вода течёт по асфальту у подъезда.", "Из колодца бьёт вода, дорогу заливает."),
    "no_water": ("С утра нет холодной воды.", "Воды нет во всём стояке."),
    "waste_overflow": ("Контейнеры полные, мусор лежит рядом.", "Мусор не вывозят третий день."),
    "street_light": ("Не горит фонарь, вечером темно.", "Фонарь мигает и гаснет."),
    "pothole": ("Глубокая яма, машины объезжают по тротуару.", "Яма у перехода, вода стоит."),
    "snow": ("Тротуар не чищен, пройти с коляской нельзя.", "Наледь у крыльца, упала соседка."),
    "bus_late": ("Автобус не пришёл, ждали сорок минут.", "Третий день опаздывает утренний рейс."),
    "stray_dogs": ("Стая собак у школы.", "Собаки бросаются на прохожих."),
}
OTHER_WORDS = ("Прошу принять меры.",)


@dataclass(frozen=True, slots=True)
class Complaint:
    """Times in seconds since 1970; cost in roubles."""

    number: str
    service: Service
    house: Feature
    latitude: float
    longitude: float
    words: str
    channel: str
    requested_s: float
    assigned_s: float
    closed_s: float
    deadline_s: float
    cost_rub: float

    def changes(self) -> tuple[float, float, float]:
        """When it changed: asked, assigned, closed."""
        return (self.requested_s, self.assigned_s, self.closed_s)

    def state(self, at_s: float) -> dict[str, Any]:
        """GeoReport v2 request as it reads at a moment, with the city's executor, deadline and cost."""
        changed = max(moment for moment in self.changes() if moment <= at_s)
        closed, assigned = self.closed_s <= at_s, self.assigned_s <= at_s
        house = self.house.properties
        notes = "Выполнено" if closed else "Передано исполнителю" if assigned else "Зарегистрировано"
        return {
            "service_request_id": self.number,
            "status": "closed" if closed else "open",
            "status_notes": notes,
            "service_name": self.service.name_ru,
            "service_code": self.service.code,
            "description": self.words,
            "agency_responsible": self.service.executor if assigned else None,
            "service_notice": f"Срок по нормативу города: {self.service.deadline_h:g} ч",
            "requested_datetime": rfc3339(self.requested_s),
            "updated_datetime": rfc3339(changed),
            "expected_datetime": rfc3339(self.deadline_s),
            "address": house.address,
            "address_id": house.building_id,
            "zipcode": "150999",
            "lat": self.latitude,
            "long": self.longitude,
            "media_url": None,
            "executor": self.service.executor if assigned else None,
            "deadline": rfc3339(self.deadline_s) if assigned else None,
            "cost_rub": self.cost_rub if closed else None,
            "channel": self.channel,
        }


class Complaints:
    """All requests of any window of time."""

    feed = "complaint"

    def __init__(self, city: City, seed: int) -> None:
        self._zone = city.timezone
        self._seed = seed
        self._services = city.services
        self._houses = [house for house in features(city, "buildings") if house.properties.residents]
        self._weights = [house.properties.residents for house in self._houses]

    def asked(self, start_s: float, end_s: float) -> Iterator[Complaint]:
        """Requests with start < asked <= end, in order of time."""
        if not self._services or not self._houses:
            return
        hour = math.floor(start_s / 3_600)
        while hour * 3_600 <= end_s:
            for complaint in self._of_hour(hour):
                if start_s < complaint.requested_s <= end_s:
                    yield complaint
            hour += 1

    def changes(self, start_s: float, end_s: float) -> Iterator[dict[str, Any]]:
        """States that requests took on with start < changed <= end."""
        for complaint in self.asked(start_s - HISTORY_DAYS * 86_400, end_s):
            for moment in complaint.changes():
                if start_s < moment <= end_s:
                    yield complaint.state(moment)

    def _of_hour(self, hour: int) -> list[Complaint]:
        chances = chance.stream(self._seed, "complaints", hour)
        local = datetime.fromtimestamp(hour * 3_600, self._zone).hour
        mean = PER_DAY / 24 * (0.15 + 0.85 * BY_HOUR[local])
        count = int(mean) + (chances.random() < mean % 1)
        moments = sorted(round(hour * 3_600 + chances.uniform(0, 3_600)) for _ in range(count))
        return [self._one(chances, f"{hour}-{index}", moment) for index, moment in enumerate(moments, 1)]

    def _one(self, chances: Any, number: str, asked: float) -> Complaint:
        service = chances.choice(self._services)
        house = chances.choices(self._houses, self._weights)[0]
        deadline = asked + service.deadline_h * 3_600
        assigned = asked + round(min(chances.lognormvariate(0, 0.9), 12.0) * 3_600)
        closed = asked + round(service.deadline_h * 3_600 * chances.lognormvariate(-0.75, 0.7))
        return Complaint(
            number=f"{asked:.0f}-{number}",
            service=service,
            house=house,
            latitude=round(house.latitude + chances.gauss(0, 0.0002), 6),
            longitude=round(house.longitude + chances.gauss(0, 0.0003), 6),
            words=chances.choice(WORDS.get(service.code, OTHER_WORDS)),
            channel=chances.choices(CHANNELS, (5, 3, 4, 1))[0],
            requested_s=asked,
            assigned_s=assigned,
            closed_s=max(closed, assigned + 600),
            deadline_s=deadline,
            cost_rub=round(chances.lognormvariate(8.2, 0.8), 2),
        )
