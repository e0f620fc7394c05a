"""What a meter's counter shows: water, heat or electricity of a flat or of a whole house."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Sequence, UtcTime, unit


class MeterReading(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="meter_reading",
        grain="one row per meter and moment of reading",
        title_en="Meter readings",
        title_ru="Показания счётчиков",
        key=("meter_id", "event_time"),
        event_time="event_time",
        entity="meter_id",
        origin="device",
        owner="housing",
        freshness_s=7_200,
        behind_s=3 * 86_400,
        sequence=("boot_id", "sequence"),
    )

    meter_id: Identifier = Field(description="Serial number of the meter or its key in the billing system")
    event_time: UtcTime = Field(description="When the counter showed this, by the meter's clock")
    medium: Literal["cold_water", "hot_water", "heat", "electricity"] = Field(description="What is metered")
    scope: Literal["flat", "house"] = Field(default="flat", description="A flat's own meter or the house's common one")
    volume_m3: float | None = unit("m3", default=None, ge=0, le=1e9, description="Cumulative volume (water)")
    energy_kwh: float | None = unit(
        "kWh", default=None, ge=0, le=1e12, description="Cumulative energy (electricity, heat)"
    )
    house_id: Identifier | None = Field(default=None, description="House of the city's register")
    zone_id: Identifier | None = Field(default=None, description="District metered area")
    battery_v: float | None = unit("V", default=None, ge=0, le=50, description="Battery of the radio module")
    boot_id: Identifier | None = Field(default=None, description="New at every start of the radio module")
    sequence: Sequence | None = Field(default=None, description="Counts up by one within a boot")

    @model_validator(mode="after")
    def counter_of_its_medium(self) -> Self:
        if self.medium in ("cold_water", "hot_water"):
            if self.volume_m3 is None or self.energy_kwh is not None:
                raise ValueError(f"a {self.medium} meter gives volume_m3 and no energy_kwh")
        elif self.energy_kwh is None or self.volume_m3 is not None:
            raise ValueError(f"a {self.medium} meter gives energy_kwh and no volume_m3")
        return self
