"""A town's data as landing segments, made by columns: a year of 2,000 hourly meters in half a minute.

The segments are such as the gateway seals (same schema, names and folders), one a feed and day. Everything is drawn
from one seed. Beside the meters, so that every page has something to show: three zones' inflow each quarter of an hour,
ten buses every two minutes, twelve waste sites, complaints, and refused messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.derive.arrow import landing_schema
from ingest.landing.segments import new_segment_name

SEED = 20261124
ZONES, HOUSES = 3, 200
INLET_STEP_S, BUSES, BUS_STEP_S, SITES = 900, 10, 120, 12
LOSS_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Town:
    """`days` days that end with `last`; `meters` flats' cold-water meters read each hour."""

    meters: int
    days: int
    last: date

    @property
    def meter_rows(self) -> int:
        return self.meters * 24 * self.days

    def day(self, number: int) -> datetime:
        """Midnight UTC that begins the day of this number (0 = the first)."""
        first = self.last - timedelta(days=self.days - 1)
        return datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=number)


def yesterday() -> date:
    return (datetime.now(UTC) - timedelta(days=1)).date()


def write_town(settings: Settings, town: Town) -> int:
    """Writes all segments; gives the number of rows."""
    rng = np.random.default_rng(SEED)
    counters = np.round(rng.uniform(10, 900, town.meters), 3)
    rows = 0
    for number in range(town.days):
        start = town.day(number)
        readings, counters, use_m3_h = meter_day(town, start, counters, rng)
        for feed, frame in {
            "meter_reading": readings,
            "scada_reading": _inflow(start, use_m3_h),
            "vehicle_position": _buses(start, rng),
            "camera_event": _cameras(start, rng),
            "complaint": _complaints(start, rng),
            "quarantine": _refused(start),
        }.items():
            write_segment(settings, feed, frame)
            rows += frame.height
    return rows


def meter_day(
    town: Town, start: datetime, counters: np.ndarray, rng: np.random.Generator
) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """(a day's readings, the counters after it, use of each zone and hour in m3)."""
    hours = np.arange(24)
    course = 0.4 + np.exp(-((hours - 8) ** 2) / 6) + 1.2 * np.exp(-((hours - 20) ** 2) / 8)
    used = rng.gamma(1.5, 0.006, (24, town.meters)) * course[:, None]
    shown = np.round(counters + np.cumsum(used, axis=0), 3)
    meter = np.tile(np.arange(town.meters), 24)
    names = pl.Series([f"meter-{number:05d}" for number in range(town.meters)])
    houses = pl.Series([f"house-{number % HOUSES:03d}" for number in range(town.meters)])
    zones = pl.Series([f"dma-{number % HOUSES % ZONES + 1}" for number in range(town.meters)])
    frame = pl.DataFrame(
        {
            "meter_id": names.gather(meter),
            "event_time": _times(start, np.repeat(hours * 3_600, town.meters) + meter % 600),
            "medium": pl.repeat("cold_water", meter.size, eager=True),
            "scope": pl.repeat("flat", meter.size, eager=True),
            "volume_m3": shown.ravel(),
            "house_id": houses.gather(meter),
            "zone_id": zones.gather(meter),
            "battery_v": pl.repeat(3.6, meter.size, eager=True),
        }
    )
    zone = np.arange(town.meters) % HOUSES % ZONES
    by_zone = np.stack([used[:, zone == number].sum(axis=1) for number in range(ZONES)])
    return frame, shown[-1], by_zone


def _inflow(start: datetime, use_m3_h: np.ndarray) -> pl.DataFrame:
    seconds = np.arange(0, 86_400, INLET_STEP_S)
    value = np.round(use_m3_h[:, seconds // 3_600] / (1 - LOSS_SHARE), 3).ravel()
    return pl.DataFrame(
        {
            "sensor_id": [f"inlet-{zone + 1}" for zone in range(ZONES) for _ in seconds],
            "event_time": _times(start, np.tile(seconds, ZONES)),
            "quantity": pl.repeat("flow_m3_h", value.size, eager=True),
            "value": value,
            "role": pl.repeat("inlet", value.size, eager=True),
            "zone_id": [f"dma-{zone + 1}" for zone in range(ZONES) for _ in seconds],
            "quality": pl.repeat("good", value.size, eager=True),
        }
    )


def _buses(start: datetime, rng: np.random.Generator) -> pl.DataFrame:
    seconds = np.arange(5 * 3_600, 23 * 3_600, BUS_STEP_S)
    turn = seconds / 3_600 * 2 * np.pi
    return pl.DataFrame(
        {
            "vehicle_id": [f"bus-{bus:02d}" for bus in range(BUSES) for _ in seconds],
            "timestamp": _times(start, np.tile(seconds, BUSES)),
            "latitude": np.concatenate([57.6 + 0.02 * np.sin(turn + bus) for bus in range(BUSES)]),
            "longitude": np.concatenate([39.9 + 0.03 * np.cos(turn + bus) for bus in range(BUSES)]),
            "speed_m_s": np.round(rng.uniform(0, 14, seconds.size * BUSES), 1),
            "route_id": [f"r{bus % 3}" for bus in range(BUSES) for _ in seconds],
        }
    )


def _cameras(start: datetime, rng: np.random.Generator) -> pl.DataFrame:
    site = np.tile(np.arange(SITES), 24)
    hour = np.repeat(np.arange(24), SITES)
    return pl.DataFrame(
        {
            "event_id": [f"{start:%Y%m%d}-{number}" for number in range(site.size)],
            "camera_id": [f"cam-waste-{number + 1:02d}" for number in site],
            "site_id": [f"waste-{number + 1:02d}" for number in site],
            "event_time": _times(start, hour * 3_600 + site * 60),
            "class_name": [
                ("waste_ok", "waste_full", "waste_beside")[(h + s) % 3] for h, s in zip(hour, site, strict=True)
            ],
            "confidence": np.round(rng.uniform(0.5, 1, site.size), 2),
            "calibrated": pl.repeat(False, site.size, eager=True),
            "latitude": 57.59 + site * 0.001,
            "longitude": 39.89 + site * 0.001,
        }
    )


def _complaints(start: datetime, rng: np.random.Generator) -> pl.DataFrame:
    number = np.arange(20)
    asked = _times(start, number * 3_600)
    return pl.DataFrame(
        {
            "service_request_id": [f"{start:%Y%m%d}-{each}" for each in number],
            "status": ["closed" if each % 4 else "open" for each in number],
            "service_code": [f"code-{each % 5}" for each in number],
            "requested_datetime": asked,
            "updated_datetime": _times(start, number * 3_600 + rng.integers(1, 90, number.size) * 3_600),
            "deadline": _times(start, number * 3_600 + 3 * 86_400),
            "channel": pl.repeat("web", number.size, eager=True),
        }
    )


def _refused(start: datetime) -> pl.DataFrame:
    number = np.arange(10)
    return pl.DataFrame(
        {
            "quarantine_id": [f"{start:%Y%m%d}-{each}" for each in number],
            "feed": pl.repeat("meter_reading", number.size, eager=True),
            "topic": pl.repeat("gorodok/v1/gorodok/meter_reading/hub-1", number.size, eager=True),
            "refused_at": _times(start, number * 3_600),
            "reason": pl.repeat("volume_m3: Input should be greater than or equal to 0", number.size, eager=True),
            "field": pl.repeat("volume_m3", number.size, eager=True),
            "payload": [b'{"volume_m3": -1}'] * number.size,
        }
    )


def _times(start: datetime, seconds: np.ndarray) -> pl.Series:
    moments = np.datetime64(start.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")
    return pl.Series(moments).dt.replace_time_zone("UTC")


def write_segment(settings: Settings, feed: str, frame: pl.DataFrame) -> None:
    """A frame of contract fields as a sealed segment; absent fields are null, the envelope a punctual device's."""
    event = frame[CONTRACTS[feed].spec.event_time]
    full = frame.with_columns(
        event.alias("event_at"),
        event.dt.offset_by("2s").alias("received_at"),
        pl.lit("ok").alias("clock_status"),
        pl.lit(f"gorodok/v1/{settings.city}/{feed}/bench").alias("source"),
    )
    table = full.to_arrow()
    schema = landing_schema(feed)
    columns = [
        table[field.name].cast(field.type) if field.name in full.columns else pa.nulls(full.height, field.type)
        for field in schema
    ]
    folder = settings.landing_dir / feed / "sealed"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{new_segment_name(feed)}.parquet"
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path, compression="zstd", store_schema=True)
