"""The town's EPANET model, made from its streets, houses and inlets.

    python -m simulator.network > cities/gorodok/network.inp

A main under every street, in pieces of about 150 m; streets that cross a zone's border have a shut valve there; each
zone hangs on a reservoir at its inlet. Demands are those of the residents at the nearest node. Made once and kept: a
real utility's file takes its place.
"""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from shapely.geometry import Point

from city.geometry import features
from city.profile import City, load_city
from city.settings import settings
from city.water import EARTH_M, load_water

PIECE_M = 150.0
MAIN_M, STREET_M = 0.2, 0.15
ROUGHNESS = 110.0
LITRES = 1_000.0
PATTERN = [0.45, 0.35, 0.30, 0.30, 0.35, 0.60, 1.10, 1.50, 1.45, 1.20, 1.05, 1.00,
           1.05, 1.05, 1.00, 1.00, 1.10, 1.35, 1.60, 1.65, 1.50, 1.20, 0.85, 0.60]  # fmt: skip

Metres = tuple[float, float]


def build(city: City) -> Any:
    """wntr's model; coordinates are metres from the origin that water.toml places."""
    import wntr

    place = load_water(city).network

    def metres(longitude: float, latitude: float) -> Metres:
        north = math.radians(latitude - float(place.latitude or 0)) * EARTH_M
        east = math.radians(longitude - float(place.longitude or 0)) * EARTH_M
        return east * math.cos(math.radians(float(place.latitude or 0))), north

    model = wntr.network.WaterNetworkModel()
    model.options.hydraulic.inpfile_units = "LPS"
    model.options.hydraulic.headloss = "H-W"
    model.options.time.pattern_timestep = 3_600
    model.add_pattern("day", PATTERN)
    zones = {zone.properties.zone_id: zone.geometry for zone in features(city, "zones")}
    zone_of: dict[str, str] = {}
    names: dict[tuple[float, float], str] = {}

    def node(longitude: float, latitude: float) -> str:
        key = (round(longitude, 6), round(latitude, 6))
        if key not in names:
            name = f"n{len(names) + 1:03d}"
            names[key] = name
            x, y = metres(*key)
            model.add_junction(name, base_demand=0.0, elevation=100 + y * 0.004, coordinates=(x, y))
            zone_of[name] = min(zones, key=lambda code: zones[code].distance(Point(key)))
        return names[key]

    for street in features(city, "streets"):
        corners = [(float(lon), float(lat)) for lon, lat in street.geometry.coords]
        for start, end in pairwise(corners):
            pieces = max(1, round(math.dist(metres(*start), metres(*end)) / PIECE_M))
            along = [
                node(*(a + (b - a) * step / pieces for a, b in zip(start, end, strict=True)))
                for step in range(pieces + 1)
            ]
            for one, other in pairwise(along):
                _pipe(model, one, other, shut=zone_of[one] != zone_of[other])
    _demands(model, city, names, metres)
    _inlets(model, city, zone_of, metres, place)
    return model


def _pipe(model: Any, one: str, other: str, *, shut: bool, diameter: float = STREET_M) -> None:
    far = math.dist(model.get_node(one).coordinates, model.get_node(other).coordinates)
    name = f"{'v' if shut else 'p'}{model.num_pipes + 1:03d}"
    status = "CLOSED" if shut else "OPEN"
    model.add_pipe(name, one, other, length=max(1.0, far), diameter=diameter, roughness=ROUGHNESS,
                   initial_status=status)  # fmt: skip


def _demands(model: Any, city: City, names: dict[tuple[float, float], str], metres: Any) -> None:
    places = {name: metres(*key) for key, name in names.items()}
    use = city.norms.water.use_l_person_day / LITRES / 86_400
    people: dict[str, int] = {}
    for house in features(city, "buildings"):
        middle = house.geometry.centroid
        here = metres(middle.x, middle.y)
        nearest = min(places, key=lambda name: (math.dist(places[name], here), name))
        people[nearest] = people.get(nearest, 0) + house.properties.residents
    for name, count in people.items():
        demands = model.get_node(name).demand_timeseries_list
        demands.clear()
        demands.append((count * use, model.get_pattern("day"), None))


def _inlets(model: Any, city: City, zone_of: dict[str, str], metres: Any, place: Any) -> None:
    """A reservoir at each zone's inlet sensor, by a thick main to the two nearest nodes of the zone."""
    plan = load_water(city)
    for device in features(city, "devices"):
        told = device.properties
        if told.quantity != "flow_m3_h" or told.role != "inlet":
            continue
        x, y = metres(device.geometry.x, device.geometry.y)
        zone = plan.zones.get(told.zone_id)
        head = 100 + y * 0.004 + (zone.pressure_m if zone and zone.pressure_m else 45.0)
        name = f"r-{told.zone_id}"
        model.add_reservoir(name, base_head=head, coordinates=(x, y))
        own = [node for node, code in zone_of.items() if code == told.zone_id]
        own.sort(key=lambda node: math.dist(model.get_node(node).coordinates, (x, y)))
        for target in own[:2]:
            _pipe(model, name, target, shut=False, diameter=MAIN_M)


def main() -> None:
    import tempfile

    import wntr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.inp"
        wntr.network.write_inpfile(build(load_city(settings())), str(path), units="LPS")
        lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("; Filename") and "WNTR" not in line]
    sys.stdout.write("; Made by python -m simulator.network from the town's streets and houses.\n")
    sys.stdout.write("\n".join(line.rstrip() for line in kept) + "\n")


if __name__ == "__main__":
    main()
