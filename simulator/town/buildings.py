"""Two hundred buildings along the streets: 12 of nine storeys, 20 of five, 27 of two, 120 private houses, 21 public.

They hold exactly 2,000 flats (a private house counts as one), each of which has its own water meter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from simulator import chance
from simulator.town import plan as town
from simulator.town.plan import Plan, Point

PUBLIC = (
    ("administration", "Администрация города", "Town administration"),
    ("school", "Школа № 1", "School No. 1"),
    ("hospital", "Городская больница", "Town hospital"),
    ("shop", "Универмаг «Заря»", "Zarya department store"),
    ("culture", "Дом культуры", "House of culture"),
    ("kindergarten", "Детский сад «Ромашка»", "Romashka kindergarten"),
    ("shop", "Магазин «Продукты»", "Grocery"),
    ("library", "Городская библиотека", "Town library"),
    ("fire_station", "Пожарная часть № 7", "Fire station No. 7"),
    ("school", "Школа № 2", "School No. 2"),
    ("clinic", "Поликлиника", "Polyclinic"),
    ("station", "Автовокзал", "Bus station"),
    ("kindergarten", "Детский сад «Солнышко»", "Solnyshko kindergarten"),
    ("shop", "Рынок", "Market"),
    ("post", "Почта", "Post office"),
    ("sports", "Спортивный комплекс «Юность»", "Yunost sports centre"),
    ("police", "Отдел полиции", "Police department"),
    ("boiler", "Котельная № 3", "Boiler house No. 3"),
    ("industry", "Молокозавод", "Dairy"),
    ("industry", "Хлебозавод", "Bakery"),
    ("depot", "Автобусный парк", "Bus depot"),
)


@dataclass(frozen=True)
class Shape:
    kind: str
    count: int
    floors: int
    entrances: int
    flats: int
    width_m: float
    depth_m: float
    years: tuple[int, int]


NINE = Shape("apartments", 12, 9, 2, 72, 54, 15, (1982, 2016))
FIVE = Shape("apartments", 20, 5, 2, 40, 60, 13, (1961, 1979))
TWO = Shape("apartments", 27, 2, 1, 8, 24, 12, (1950, 1963))
PRIVATE = Shape("private", 120, 1, 1, 1, 11, 9, (1948, 2022))
PUBLIC_SHAPE = Shape("public", 21, 2, 2, 0, 42, 18, (1955, 2012))

SET_BACK_M = 24.0
RESIDENTS = (1, 2, 3, 4, 5)
RESIDENTS_WEIGHTS = (25, 32, 25, 13, 5)


@dataclass(frozen=True)
class Slot:
    """A building's place: the block's ends, its share of the way, side +1 (north) or -1, number on its street."""

    row: int
    start: Point
    end: Point
    share: float
    side: int
    number: int

    @property
    def middle(self) -> Point:
        return town.aside(self.start, self.end, self.share, self.side * (SET_BACK_M + 8))


def buildings(seed: int, plan: Plan) -> list[dict[str, Any]]:
    """GeoJSON features, ordered by street and number."""
    chances = chance.stream(seed, "buildings")
    slots = _slots(plan)
    chosen = _assign(slots)
    publics = iter(PUBLIC)
    features = []
    for index, slot in enumerate(slots):
        shape = chosen[index]
        public = next(publics) if shape is PUBLIC_SHAPE else None
        features.append(_feature(index + 1, slot, shape, public, chances))
    return features


def _slots(plan: Plan) -> list[Slot]:
    """Three or four places on each side of each block: 60 sides, 20 of them with four, 200 in all."""
    slots = []
    for row in range(town.ROWS):
        nodes = plan.across(row)
        for side in (1, -1):
            number = 1 if side == 1 else 2
            for column, (start, end) in enumerate(itertools.pairwise(nodes)):
                places = 4 if (row + column + (side == 1)) % 3 == 0 else 3
                for place in range(places):
                    share = 0.13 + 0.74 * (place + 0.5) / places
                    slots.append(Slot(row, start, end, share, side, number))
                    number += 2
    return slots


def _assign(slots: list[Slot]) -> dict[int, Shape]:
    """Towers in the new east, five storeys and public houses in the middle, private houses at the edge."""

    def nearest(place: Point) -> list[int]:
        return sorted(range(len(slots)), key=lambda index: (town.distance(slots[index].middle, place), index))

    chosen: dict[int, Shape] = {}
    east = [index for index in nearest(town.turned(820, 300)) if town.zone_of(slots[index].middle) == "dma-3"]
    chosen.update(dict.fromkeys(east[: NINE.count], NINE))
    middle = [index for index in nearest((0.0, 0.0)) if index not in chosen]
    everywhere = [index for index in range(2, len(slots), 8) if index not in chosen]
    chosen.update(dict.fromkeys(everywhere[: PUBLIC_SHAPE.count], PUBLIC_SHAPE))
    middle = [index for index in middle if index not in chosen]
    chosen.update(dict.fromkeys(middle[: FIVE.count], FIVE))
    chosen.update(dict.fromkeys(middle[FIVE.count : FIVE.count + TWO.count], TWO))
    return {index: chosen.get(index, PRIVATE) for index in range(len(slots))}


def _feature(
    number: int, slot: Slot, shape: Shape, public: tuple[str, str, str] | None, chances: Any
) -> dict[str, Any]:
    people = chances.choices(RESIDENTS, RESIDENTS_WEIGHTS, k=shape.flats)
    street_id, street_ru, _ = town.ACROSS[slot.row]
    properties: dict[str, Any] = {
        "building_id": f"b-{number:03d}",
        "kind": public[0] if public else shape.kind,
        "name_ru": public[1] if public else None,
        "name_en": public[2] if public else None,
        "address": f"г. Городок, {street_ru}, д. {slot.number}",
        "street_id": street_id,
        "house_number": str(slot.number),
        "floors": shape.floors,
        "flats": shape.flats,
        "entrances": shape.entrances,
        "residents": sum(people),
        "built": chances.randint(*shape.years),
        "zone_id": town.zone_of(slot.middle),
    }
    return {"type": "Feature", "properties": properties, "geometry": _footprint(slot, shape)}


def _footprint(slot: Slot, shape: Shape) -> dict[str, Any]:
    half = shape.width_m / 2 / town.distance(slot.start, slot.end)
    near, far = slot.side * SET_BACK_M, slot.side * (SET_BACK_M + shape.depth_m)
    ring = [
        town.aside(slot.start, slot.end, slot.share - half, near),
        town.aside(slot.start, slot.end, slot.share + half, near),
        town.aside(slot.start, slot.end, slot.share + half, far),
        town.aside(slot.start, slot.end, slot.share - half, far),
    ]
    if slot.side < 0:
        ring.reverse()
    return {"type": "Polygon", "coordinates": [[list(town.degrees(point)) for point in [*ring, ring[0]]]]}
