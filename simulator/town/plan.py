"""Where things lie: the street grid in metres around the town's centre, and its way to degrees."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from simulator import chance

Point = tuple[float, float]
"""x metres east, y metres north of the centre."""

CENTRE_LAT = 57.6
CENTRE_LON = 39.9
METRES_A_DEGREE = 111_320.0

SPACING_M = 420.0
COLUMNS = 6
ROWS = 6
TURN_RAD = math.radians(7)
JITTER_M = 28.0

ACROSS = (
    ("naberezhnaya", "Набережная улица", "Naberezhnaya Street"),
    ("gagarina", "улица Гагарина", "Gagarina Street"),
    ("sovetskaya", "Советская улица", "Sovetskaya Street"),
    ("shkolnaya", "Школьная улица", "Shkolnaya Street"),
    ("sadovaya", "Садовая улица", "Sadovaya Street"),
    ("lesnaya", "Лесная улица", "Lesnaya Street"),
)
"""Streets from west to east, the southern one first."""

ALONG = (
    ("vokzalnaya", "Вокзальная улица", "Vokzalnaya Street"),
    ("pushkina", "улица Пушкина", "Pushkina Street"),
    ("mira", "проспект Мира", "Mira Avenue"),
    ("molodyozhnaya", "Молодёжная улица", "Molodyozhnaya Street"),
    ("zavodskaya", "Заводская улица", "Zavodskaya Street"),
    ("stroiteley", "улица Строителей", "Stroiteley Street"),
)
"""Streets from south to north, the western one first."""

ZONES = (
    ("dma-1", "Заречный", "Zarechny"),
    ("dma-2", "Центральный", "Tsentralny"),
    ("dma-3", "Восточный", "Vostochny"),
)
ZONE_CUTS_M = (-420.0, 420.0)


def turned(x: float, y: float) -> Point:
    return (x * math.cos(TURN_RAD) - y * math.sin(TURN_RAD), x * math.sin(TURN_RAD) + y * math.cos(TURN_RAD))


def degrees(point: Point) -> tuple[float, float]:
    """Longitude, latitude, six decimals (0.1 m): the order of GeoJSON."""
    x, y = point
    longitude = CENTRE_LON + x / (METRES_A_DEGREE * math.cos(math.radians(CENTRE_LAT)))
    return round(longitude, 6), round(CENTRE_LAT + y / METRES_A_DEGREE, 6)


def distance(a: Point, b: Point) -> float:
    return math.hypot(b[0] - a[0], b[1] - a[1])


def between(a: Point, b: Point, share: float) -> Point:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def aside(a: Point, b: Point, share: float, offset_m: float) -> Point:
    """The point at `share` of the way from a to b, `offset_m` to the left of it."""
    x, y = between(a, b, share)
    length = distance(a, b)
    return (x - (b[1] - a[1]) / length * offset_m, y + (b[0] - a[0]) / length * offset_m)


@dataclass(frozen=True)
class Plan:
    """nodes[row][column]: the crossings of the streets."""

    nodes: tuple[tuple[Point, ...], ...]

    def across(self, row: int) -> list[Point]:
        return list(self.nodes[row])

    def along(self, column: int) -> list[Point]:
        return [self.nodes[row][column] for row in range(ROWS)]


def plan(seed: int) -> Plan:
    """A grid, turned and shaken a little, so that the town looks grown and not printed."""
    chances = chance.stream(seed, "plan")

    def node(row: int, column: int) -> Point:
        x = (column - (COLUMNS - 1) / 2) * SPACING_M + chances.uniform(-JITTER_M, JITTER_M)
        y = (row - (ROWS - 1) / 2) * SPACING_M + chances.uniform(-JITTER_M, JITTER_M)
        return turned(x, y)

    return Plan(tuple(tuple(node(row, column) for column in range(COLUMNS)) for row in range(ROWS)))


EDGE = (
    (-1450.0, -1150.0), (-900.0, -1420.0), (700.0, -1440.0), (1420.0, -1180.0), (1480.0, 300.0),
    (1300.0, 1250.0), (400.0, 1450.0), (-800.0, 1430.0), (-1440.0, 1150.0), (-1500.0, 0.0),
)  # fmt: skip


def boundary() -> list[Point]:
    """The town's edge, counter-clockwise, not closed."""
    return [turned(x, y) for x, y in EDGE]


def zone_rings() -> list[list[Point]]:
    """The edge cut by two lines into the three district metered areas, west to east."""
    limits = (-1e9, *ZONE_CUTS_M, 1e9)
    return [[turned(x, y) for x, y in _strip(low, high)] for low, high in itertools.pairwise(limits)]


def _strip(low: float, high: float) -> list[Point]:
    """Sutherland-Hodgman: the part of EDGE with low <= x <= high."""
    return _half(_half(list(EDGE), low, 1.0), high, -1.0)


def _half(ring: list[Point], limit: float, sign: float) -> list[Point]:
    kept: list[Point] = []
    for here, after in zip(ring, ring[1:] + ring[:1], strict=True):
        inside, next_inside = (here[0] - limit) * sign >= 0, (after[0] - limit) * sign >= 0
        if inside:
            kept.append(here)
        if inside != next_inside:
            kept.append(between(here, after, (limit - here[0]) / (after[0] - here[0])))
    return kept


def zone_of(point: Point) -> str:
    """The area by the cuts, in the grid's own unturned axes."""
    x = point[0] * math.cos(TURN_RAD) + point[1] * math.sin(TURN_RAD)
    return ZONES[sum(x > cut for cut in ZONE_CUTS_M)][0]


RIVER = ((-1900.0, -1330.0), (-900.0, -1265.0), (100.0, -1300.0), (900.0, -1250.0), (1900.0, -1310.0))
RIVER_HALF_M = 55.0


def river() -> list[Point]:
    """The river Gorodka along the southern edge, a ring, not closed."""
    north = [turned(x, y + RIVER_HALF_M) for x, y in RIVER]
    south = [turned(x, y - RIVER_HALF_M) for x, y in RIVER]
    return south + north[::-1]
