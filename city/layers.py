"""The properties that a feature of each layer has. A layer is `<name>.geojson` in the city's folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from city.problem import at_key

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Title = Annotated[str, Field(min_length=1, max_length=256)]
Action = Literal["unlock", "lock", "light_on", "light_off", "siren_on", "siren_off", "show"]


class _Properties(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Boundary(_Properties):
    """One polygon: the city's edge."""

    name_ru: Title
    name_en: Title


class Water(_Properties):
    """One polygon per river or lake."""

    name_ru: Title
    name_en: Title


class Zone(_Properties):
    """One polygon per district metered area; they do not overlap."""

    zone_id: Id
    name_ru: Title
    name_en: Title


class Street(_Properties):
    """One line per street."""

    street_id: Id
    name_ru: Title
    name_en: Title


class Building(_Properties):
    """One polygon per building."""

    building_id: Id
    kind: Id
    """apartments, private, or what a public building is: school, hospital, shop, …"""
    name_ru: Title | None = None
    name_en: Title | None = None
    address: Title
    street_id: Id
    house_number: Annotated[str, Field(min_length=1, max_length=16)]
    floors: Annotated[int, Field(ge=1, le=200)]
    flats: Annotated[int, Field(ge=0, le=5_000)]
    entrances: Annotated[int, Field(ge=0, le=100)]
    residents: Annotated[int, Field(ge=0, le=20_000)]
    built: Annotated[int, Field(ge=1000, le=2100)] | None = None
    zone_id: Id


class Site(_Properties):
    """One point per place that is watched: waste site, crossing, yard, shelter."""

    site_id: Id
    kind: Literal["waste_site", "crossing", "yard", "shelter"]
    name_ru: Title
    name_en: Title
    zone_id: Id
    building_id: Id | None = None
    containers: Annotated[int, Field(ge=1, le=100)] | None = None
    capacity_people: Annotated[int, Field(ge=1, le=100_000)] | None = None


class Stop(_Properties):
    """One point per stop of public transport; stop_id is the GTFS one."""

    stop_id: Id
    name_ru: Title
    routes: list[str] = []
    """Short names of the routes that call here."""
    zone_id: Id | None = None


class Passport(_Properties):
    """What the device had to reach and what was measured when it was taken over, both in `unit`."""

    requirement_ru: Title
    requirement_en: Title
    required: float
    measured: float
    unit: Annotated[str, Field(min_length=1, max_length=16)]
    measured_on: date
    document: Title | None = None

    @model_validator(mode="after")
    def _reached(self) -> Self:
        if self.measured < self.required:
            raise at_key("passport.measured", self.measured, f"less than required ({self.required:g}): not accepted")
        return self


class Device(_Properties):
    """One point per device that watches, measures or acts."""

    device_id: Id
    kind: Literal["camera", "lamp", "door", "siren", "display", "scada", "radar"]
    name_ru: Title
    name_en: Title
    zone_id: Id
    site_id: Id | None = None
    stop_id: Id | None = None
    actions: list[Action] = []
    """Commands that it takes (docs/devices-protocol.md)."""
    quantity: Literal["flow_m3_h", "pressure_m", "level_m"] | None = None
    role: Literal["inlet", "outlet", "internal"] | None = None
    passport: Passport | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """key: the property that names a feature, unique in the layer. refers: property → layer whose key it is."""

    name: str
    properties: type[_Properties]
    geometry: tuple[str, ...]
    key: str | None = None
    required: bool = False
    refers: tuple[tuple[str, str], ...] = ()


LAYERS = {
    layer.name: layer
    for layer in (
        Layer("boundary", Boundary, ("Polygon", "MultiPolygon"), required=True),
        Layer("zones", Zone, ("Polygon", "MultiPolygon"), "zone_id", required=True),
        Layer("water", Water, ("Polygon", "MultiPolygon")),
        Layer("streets", Street, ("LineString", "MultiLineString"), "street_id"),
        Layer(
            "buildings", Building, ("Polygon", "MultiPolygon"), "building_id",
            refers=(("zone_id", "zones"), ("street_id", "streets")),
        ),
        Layer("sites", Site, ("Point",), "site_id", refers=(("zone_id", "zones"), ("building_id", "buildings"))),
        Layer("stops", Stop, ("Point",), "stop_id", refers=(("zone_id", "zones"),)),
        Layer(
            "devices", Device, ("Point",), "device_id",
            refers=(("zone_id", "zones"), ("site_id", "sites"), ("stop_id", "stops")),
        ),
    )
}  # fmt: skip
