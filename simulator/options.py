"""What the simulated city does, and how badly. Each option is an environment variable `GORODOK_SIMULATOR_…` too."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from simulator.life.meter_faults import MeterFault

Share = Annotated[float, Field(ge=0, le=1)]
Feed = Literal[
    "vehicle_position", "trip_update", "meter_reading", "scada_reading", "camera_event", "complaint", "alert",
]  # fmt: skip


class Options(BaseSettings):
    """A list in the environment is JSON: GORODOK_SIMULATOR_SILENT='["alert"]'."""

    model_config = SettingsConfigDict(env_prefix="GORODOK_SIMULATOR_", extra="forbid", frozen=True)

    seed: int = Field(default=1, ge=0, lt=2**31, description="The same seed and the same moments give the same city")
    backfill_days: float = Field(default=2, ge=0, le=31, description="Days of the past sent at the first start")
    backfill_fix_s: float = Field(default=60, ge=5, le=3_600, description="Positions of the past: seconds apart")
    duration_s: float | None = Field(default=None, gt=0, description="Stop after so many seconds of live traffic")
    batch: int = Field(default=400, ge=1, le=2_000, description="Messages in an array at the most")

    duplicates: Share = Field(default=0, description="Share of messages sent twice")
    out_of_order: Share = Field(default=0, description="Share of messages that come late, after newer ones")
    late_s: float = Field(default=20, gt=0, le=3_600, description="How late those come, seconds at the most")
    malformed: Share = Field(default=0, description="Share of messages whose bytes are spoilt")
    gaps: Share = Field(default=0, description="Share of messages lost on the way: the sequence number skips")
    skew: Share = Field(
        default=0, description="Share of devices whose clock is wrong by skew_s, half ahead, half behind"
    )
    skew_s: float = Field(default=7_200, gt=0, le=30 * 86_400, description="How wrong, seconds")
    silent: tuple[Feed, ...] = Field(default=(), description="Feeds that say nothing; HTTP feeds answer 503")
    deaf: Share = Field(default=0, description="Share of doors, lamps, sirens and displays that never answer")
    jammed: Share = Field(default=0, description="Share of them that accept a command and do not move")

    alert_status: Literal["Exercise", "Actual"] = Field(default="Exercise", description="CAP status of alerts")
    alert_signed: bool = Field(default=True, description="CAP alerts bear the demo certificate's signature")
    critical_alert_s: float | None = Field(default=20, ge=0, description="A critical alert so long after the start")
    leak_zone: str | None = Field(default="dma-2", description="Area where a main bursts the night before the start")
    illegal_houses: int = Field(
        default=2, ge=0, le=100, description="Blocks where water is taken past the flats' meters"
    )
    dead_meters: int = Field(default=3, ge=0, le=1_000, description="Flats whose meter stands still")
    meter_faults: tuple[MeterFault, ...] = Field(default=(), description="Kinds of wrong meters (checks of meter_flag)")
    meters_faulty: int = Field(default=3, ge=1, le=1_000, description="Meters of each of these kinds")
    leak_m3_h: float = Field(default=3.5, ge=0, le=1_000, description="How much it loses, m3/h")
