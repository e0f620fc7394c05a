"""`cities/<code>/water.toml`: what the utility knows of its zones, meters and its network's place. No file: defaults.

A city without a network model has its zones and inlets only: balance and night flow need no more.
"""

from __future__ import annotations

import json
import math
import tomllib
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from city.geometry import features
from city.problem import CityError, Problem, from_validation
from city.profile import City

WATER_FILE = "water.toml"
EARTH_M = 6_371_008.8

Positive = Annotated[float, Field(gt=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkPlace(_Model):
    """Where the metres of an EPANET model lie: its own CRS, or an origin on the map and a rotation."""

    file: str | None = Field(default=None, description="The EPANET file, in the city's folder; none: no model")
    crs: str | None = Field(default=None, description="EPSG code of the model's coordinates: EPSG:32637")
    latitude: float | None = Field(default=None, ge=-90, le=90, description="Where the origin lies, WGS 84")
    longitude: float | None = Field(default=None, ge=-180, le=180)
    x_m: float = Field(default=0, description="The model's x at the origin")
    y_m: float = Field(default=0, description="The model's y at the origin")
    rotation_deg: float = Field(default=0, ge=-360, le=360, description="Anticlockwise, from the model's x to the east")
    scale: Positive = Field(default=1.0, description="Metres in a unit of the model's coordinates")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.crs is not None and self.latitude is not None:
            raise ValueError("crs and latitude exclude each other: keep one")
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together: add the other")
        return self

    def place(self, x: float, y: float) -> tuple[float, float]:
        """(longitude, latitude) of a point of the model; a flat earth around the origin, good for a city.

        ValueError for a `crs`: that is for a reader with a projection (GeoPandas), or without any origin."""
        if self.latitude is None or self.longitude is None:
            raise ValueError("network: no origin: write latitude and longitude in water.toml")
        turn = math.radians(self.rotation_deg)
        dx, dy = (x - self.x_m) * self.scale, (y - self.y_m) * self.scale
        east, north = dx * math.cos(turn) - dy * math.sin(turn), dx * math.sin(turn) + dy * math.cos(turn)
        latitude = self.latitude + math.degrees(north / EARTH_M)
        longitude = self.longitude + math.degrees(east / (EARTH_M * math.cos(math.radians(self.latitude))))
        return longitude, latitude


class WaterZone(_Model):
    """What the balance asks of a district metered area. None: not known, and what needs it is not told."""

    mains_km: Positive | None = Field(default=None, description="Length of mains, Lm")
    connections: int | None = Field(default=None, ge=1, description="Service connections, Nc; none: its buildings")
    private_km: Annotated[float, Field(ge=0)] = Field(default=0, description="Pipes from property line to meter, Lp")
    pressure_m: Positive | None = Field(default=None, description="Mean pressure, metres of water, P")
    residents: int | None = Field(default=None, ge=0, description="None: those of its buildings")
    billed_unmetered_m3_day: Annotated[float, Field(ge=0)] = Field(default=0, description="Billed by norm, m3 a day")
    night_exception_m3_h: Annotated[float, Field(ge=0)] = Field(default=0, description="A large user at night, m3/h")


class MeterSizes(_Model):
    """Permanent flow rates (Q3, ISO 4064), m3/h: by scope, and of meters that are known better."""

    flat_q3_m3_h: Positive = 2.5
    house_q3_m3_h: Positive = 25.0
    of: dict[str, Positive] = Field(default={}, description="meter_id → Q3")


class Contractor(_Model):
    """A crew that work orders go to."""

    name_ru: str
    name_en: str


class WaterPlan(_Model):
    network: NetworkPlace = NetworkPlace()
    zones: dict[str, WaterZone] = {}
    meters: MeterSizes = MeterSizes()
    contractors: dict[str, Contractor] = {}


def load_water(city: City) -> WaterPlan:
    """The city's water.toml; CityError names file, key, value and remedy."""
    path = city.folder / WATER_FILE
    if not path.exists():
        return WaterPlan()
    try:
        return WaterPlan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CityError([Problem(WATER_FILE, "", str(error), "not TOML in UTF-8: put the line right")]) from error
    except ValidationError as error:
        raise CityError(from_validation(WATER_FILE, error)) from error


def balance_facts(city: City) -> str:
    """Norms and zones as JSON, for the models of the lake: {"norms": {…}, "zones": [{"zone_id": …}]}."""
    plan = load_water(city)
    buildings: dict[str, list[int]] = {}
    for building in features(city, "buildings"):
        buildings.setdefault(building.properties.zone_id, []).append(building.properties.residents)
    names = sorted({zone.properties.zone_id for zone in features(city, "zones")} | plan.zones.keys())
    zones = []
    for zone_id in names:
        known = plan.zones.get(zone_id, WaterZone())
        housed = buildings.get(zone_id, [])
        told = {
            "connections": len(housed) or None, "residents": sum(housed) or None,
            **{key: value for key, value in known.model_dump().items() if value is not None},
        }  # fmt: skip
        zones.append({"zone_id": zone_id, **told})
    return json.dumps({"norms": city.norms.water.model_dump(mode="json"), "zones": zones}, ensure_ascii=False)
