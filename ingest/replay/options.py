"""What a person may say about a file that the file does not say itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ingest.adapters.zones import known_zone

Role = Literal["inlet", "outlet", "internal"]
Quantity = Literal["flow_m3_h", "pressure_m", "level_m"]


class ReplayOptions(BaseModel):
    """Options of `gorodok replay`; a format that has no use for one ignores it.

    time_zone: IANA zone of naive times; None: the format's own default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: str | None = Field(default=None, description="IANA zone of the file's naive times")
    quantity: Quantity | None = Field(default=None, description="scada-csv: what every column measures")
    roles: dict[str, Role] = Field(default={}, description="scada-csv: role of a sensor, by its column")
    zone_id: str | None = Field(default=None, description="District metered area of the file's sensors or meters")
    medium: Literal["cold_water", "hot_water"] = Field(default="cold_water", description="meters-csv: what is metered")

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        return None if value is None else known_zone(value)
