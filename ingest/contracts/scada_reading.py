"""What a sensor of a network measures: flow, pressure, level. The unit is part of the quantity's name."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contracts.contract import Contract, FeedSpec, Identifier, Sequence, UtcTime

LIMITS = {"flow_m3_h": (-1e5, 1e5), "pressure_m": (-20.0, 1_000.0), "level_m": (-10.0, 200.0)}


class ScadaReading(Contract):
    spec: ClassVar[FeedSpec] = FeedSpec(
        code="scada_reading",
        grain="one row per sensor, quantity and moment",
        title_en="Network sensors (SCADA)",
        title_ru="Датчики сети (SCADA)",
        key=("sensor_id", "quantity", "event_time"),
        event_time="event_time",
        entity="sensor_id",
        origin="device",
        owner="water",
        freshness_s=900,
        behind_s=86_400,
        sequence=("boot_id", "sequence"),
    )

    sensor_id: Identifier = Field(description="Sensor or pump of the network")
    event_time: UtcTime = Field(description="When it was measured, by the sensor's clock")
    quantity: Literal["flow_m3_h", "pressure_m", "level_m"] = Field(
        description="flow_m3_h: volume flow, m3/h; pressure_m: head, metres of water; level_m: water level, m"
    )
    value: float = Field(description="In the unit that the quantity names")
    role: Literal["inlet", "outlet", "internal"] = Field(
        default="internal", description="inlet: feeds the zone; outlet: leaves it; internal: neither"
    )
    zone_id: Identifier | None = Field(default=None, description="District metered area")
    quality: Literal["good", "suspect", "bad"] = Field(default="good", description="The sensor's own opinion")
    boot_id: Identifier | None = Field(default=None, description="New at every start of the controller")
    sequence: Sequence | None = Field(default=None, description="Counts up by one within a boot")

    @model_validator(mode="after")
    def value_in_range(self) -> Self:
        low, high = LIMITS[self.quantity]
        if not low <= self.value <= high:
            raise ValueError(f"value: {self.quantity} must lie within {low:g}…{high:g}")
        return self
