"""`cities/<code>/city.toml` as a model: what a city is called, where it lies, whom it asks, what it wants."""

from __future__ import annotations

import tomllib
import zoneinfo
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from city.problem import CityError, Problem, at_key, from_validation, shown
from city.settings import Settings

PROFILE_FILE = "city.toml"

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=36_500)]
LocalTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Title = Annotated[str, Field(min_length=1, max_length=256)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Names(_Model):
    ru: Title = Field(description="Russian")
    en: Title = Field(description="English")


class Place(_Model):
    """A point, WGS 84 degrees."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)


class Bounds(_Model):
    """The rectangle that holds every coordinate of the city's files, WGS 84 degrees."""

    south: float = Field(ge=-90, le=90)
    west: float = Field(ge=-180, le=180)
    north: float = Field(ge=-90, le=90)
    east: float = Field(ge=-180, le=180)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.south >= self.north or self.west >= self.east:
            raise ValueError("south must be less than north and west less than east: swap them")
        return self

    def holds(self, latitude: float, longitude: float) -> bool:
        return self.south <= latitude <= self.north and self.west <= longitude <= self.east


class Retention(_Model):
    """How long data are kept, days."""

    landing_days: Days = Field(default=90, description="Loaded landing segments")
    raw_days: Days = Field(default=1_825, description="Raw tables of the lake")
    personal_days: Days = Field(default=365, description="Personal fields of complaints, after closing")
    frames_days: Days = Field(default=30, description="Camera frames")


class Owner(_Model):
    """Who answers for the feeds of an owner code."""

    name_ru: Title
    name_en: Title
    contact: Title = Field(description="Mail address or telephone")


class WaterNorms(_Model):
    loss_share_target: Share = Field(default=0.15, description="Share of the inflow that may be lost")
    night_from: LocalTime = Field(default="02:00", description="Minimum night flow is looked for from here, local time")
    night_until: LocalTime = Field(default="05:00", description="… to here")
    use_l_person_day: float = Field(default=145, gt=0, le=2_000, description="Litres a resident uses a day")
    pressure_min_m: float = Field(default=20, ge=0, le=200, description="Least head at an inlet, metres of water")
    tariff_rub_m3: float = Field(default=35, ge=0, le=10_000, description="What a cubic metre costs, roubles")
    inlet_accuracy: Share = Field(default=0.02, description="95 % limit of an inlet meter's error, share of its volume")
    house_accuracy: Share = Field(default=0.03, description="The same of a house's meter")
    flat_accuracy: Share = Field(default=0.05, description="The same of a flat's meter")
    estimate_accuracy: Share = Field(default=0.5, description="The same of an estimated meter-day")
    assumption_accuracy: Share = Field(default=0.5, description="The same of a share that is assumed, not measured")
    unbilled_share: Share = Field(
        default=0.005, description="Authorised and not billed (flushing, fires), of the inflow"
    )
    unauthorised_share: Share = Field(default=0.0025, description="Taken without a right, of the inflow")
    under_registration_share: Share = Field(default=0.02, description="What customers' meters miss, of the true flow")
    common_use_share: Share = Field(default=0.03, description="What a house uses outside its flats, of their use")
    night_use_l_person_h: float = Field(default=0.6, ge=0, le=50, description="Legitimate use at night, litres")
    night_day_factor_h: float = Field(default=24, ge=0, le=30, description="Hours of night flow that a day loses")
    repair_h: float = Field(default=24, gt=0, le=8_760, description="A leak must be repaired within, hours")
    repair_small_h: float = Field(default=120, gt=0, le=8_760, description="A small leak must be, hours")
    small_leak_m3_h: float = Field(default=1.0, ge=0, le=1_000, description="A leak below is small, m3/h")


class WasteNorms(_Model):
    collection_days_cold: int = Field(default=3, ge=1, le=31, description="Days between collections, cold season")
    collection_days_warm: int = Field(default=1, ge=1, le=31, description="Days between collections, warm season")
    warm_from_c: float = Field(default=5, ge=-50, le=50, description="Mean daily temperature of the warm season, °C")
    overflow_h: float = Field(default=12, gt=0, le=720, description="A full site must be emptied within, hours")
    accumulation_m3_person_year: float = Field(
        default=2.2, gt=0, le=50, description="Waste a resident makes, m3 a year"
    )


class TransitNorms(_Model):
    early_s: int = Field(default=60, ge=0, le=3_600, description="More than this before the timetable is early, s")
    late_s: int = Field(default=180, ge=0, le=7_200, description="More than this behind the timetable is late, s")
    on_time_share_target: Share = Field(default=0.85, description="Share of arrivals on time")


class AppealNorms(_Model):
    answer_days: int = Field(default=30, ge=1, le=365, description="Days to answer in writing (59-FZ, article 12)")
    in_time_share_target: Share = Field(default=0.9, description="Share of requests closed before their deadline")


class Norms(_Model):
    water: WaterNorms = WaterNorms()
    waste: WasteNorms = WasteNorms()
    transit: TransitNorms = TransitNorms()
    appeals: AppealNorms = AppealNorms()


class Service(_Model):
    """What a resident can ask for: an Open311 GeoReport v2 service."""

    code: Code = Field(description="service_code")
    name_ru: Title = Field(description="service_name")
    name_en: Title
    group: Code = Field(description="GeoReport v2 group")
    owner: Code = Field(description="Key of [owners]")
    executor: Title = Field(description="Who does the work")
    deadline_h: float = Field(gt=0, le=8_760, description="The city's norm, hours")


class City(_Model):
    """One city. `load_city` makes it; its folder's layers are read by `city.geometry`, its timetable by `city.gtfs`."""

    name: Names
    region: Names | None = Field(default=None, description="Subject of the federation")
    time_zone: str = Field(description="IANA name")
    population: int = Field(ge=0, le=100_000_000, description="Residents, people")
    population_year: int = Field(ge=1900, le=2100, description="Year that the number is of")
    centre: Place = Field(description="Where a map opens")
    bounds: Bounds
    retention: Retention = Retention()
    owners: dict[Code, Owner] = Field(default={}, description="Owner code of contracts → who it is")
    norms: Norms = Norms()
    services: tuple[Service, ...] = Field(default=(), description="What residents can ask for")

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The city's folder."""
        return self._folder

    @property
    def code(self) -> str:
        """The folder's name: the `<city>` of topics and tables."""
        return self._folder.name

    @property
    def timezone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not an IANA time zone: write it like Europe/Moscow") from error
        return name

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.bounds.holds(self.centre.latitude, self.centre.longitude):
            where = f"{self.centre.latitude}, {self.centre.longitude}"
            raise at_key("centre", where, "outside bounds: move it, or widen bounds")
        codes = [service.code for service in self.services]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise at_key("services.code", ", ".join(twice), "listed twice: keep one of each")
        for service in self.services:
            if service.owner not in self.owners:
                raise at_key(f"services.{service.code}.owner", service.owner, "not in [owners]: add it there")
        return self


def load_city(settings: Settings) -> City:
    """The city of the settings; CityError names file, key, value and remedy."""
    return read_profile(settings.cities_dir / settings.city)


def read_profile(folder: Path) -> City:
    """The city of a folder; CityError names file, key, value and remedy."""
    path = folder / PROFILE_FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = f"no such city: set GORODOK_CITY to a folder of cities/, or run `gorodok city new {folder.name}`"
        raise CityError([Problem(PROFILE_FILE, "", shown(str(path)), remedy)]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CityError([Problem(PROFILE_FILE, "", str(error), "not TOML in UTF-8: put the line right")]) from error
    try:
        city = City.model_validate(raw)
    except ValidationError as error:
        raise CityError(from_validation(PROFILE_FILE, error)) from error
    city._folder = folder.resolve()
    return city
