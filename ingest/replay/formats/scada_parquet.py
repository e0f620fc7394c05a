"""scada-parquet: sensors as columns of a Parquet file, `timestamp` and one column a sensor, a quantity a file.

The file's name says what it holds: flows_m3_h…, pressures_m…, levels_m… are readings of the network's sensors;
demands_l_h… is what household meters let through, l/h, and becomes hourly readings of a counter (meter_reading) that
starts at zero with the file. Another name needs --quantity. Naive times are UTC unless --time-zone says otherwise.
Roles and zone as in scada-csv: p227 and p235 are L-Town's inlets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ingest.parcel import Refusal
from ingest.replay.files import head
from ingest.replay.formats.scada_csv import CONTEST_ZONE, DEFAULT_ZONE, INLETS
from ingest.replay.items import Items, items_of
from ingest.replay.options import ReplayOptions

NAME = "scada-parquet"
FEED = "scada_reading"
TITLE = "SCADA, Parquet, a sensor a column / SCADA, Parquet, столбец на датчик"

TIME = "timestamp"
BY_NAME = {"flows_m3_h": "flow_m3_h", "pressures_m": "pressure_m", "levels_m": "level_m"}
METERS = "demands_l_h"
LITRES_IN_M3 = 1_000
ROWS = 20_000
"""Moments that are turned into readings at once."""
HOUR = "1h"


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    source = f"replay:{NAME}:{path.name}"
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        yield Refusal(FEED, source, head(path), f"no Parquet file that can be read: {error}", None, None)
        return
    fault = _fault(table)
    quantity = options.quantity or _told(path)
    if fault is None and quantity is None:
        fault = f"what {path.name} measures is not told by its name ({', '.join(BY_NAME)}, {METERS}): give --quantity"
    if fault is not None:
        yield Refusal(FEED, source, head(path), fault, TIME, None)
        return
    zone = options.time_zone or DEFAULT_ZONE
    timed = table.with_columns(_moment(table.schema[TIME], zone)).filter(pl.col(TIME).is_not_null()).sort(TIME)
    if quantity == METERS:
        yield from _counters(source, timed, options)
    else:
        yield from _readings(source, timed, str(quantity), options)


def _told(path: Path) -> str | None:
    names = {**BY_NAME, METERS: METERS}
    found = re.match("|".join(names), path.name)
    return names[found.group()] if found else None


def _fault(table: pl.DataFrame) -> str | None:
    if TIME not in table.columns or not isinstance(table.schema[TIME], pl.Datetime):
        return f"needs a column {TIME!r} of times, has {', '.join(table.columns[:5])}"
    texts = [name for name, kind in table.schema.items() if name != TIME and not kind.is_numeric()]
    return f"column {texts[0]!r} holds no numbers" if texts else None


def _moment(kind: pl.DataType, zone: str) -> pl.Expr:
    time = pl.col(TIME).cast(pl.Datetime("us", getattr(kind, "time_zone", None)))
    if getattr(kind, "time_zone", None) is None:
        time = time.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return time.dt.convert_time_zone("UTC").alias(TIME)


def _readings(source: str, table: pl.DataFrame, quantity: str, options: ReplayOptions) -> Iterator[Items]:
    sensors = [name for name in table.columns if name != TIME]
    roles = {sensor: {**INLETS, **options.roles}.get(sensor, "internal") for sensor in sensors}
    inlets = quantity == "flow_m3_h" and INLETS.keys() <= set(sensors)
    zone_id = options.zone_id or (CONTEST_ZONE if inlets else None)
    for part in table.iter_slices(ROWS):
        long = part.unpivot(on=sensors, index=TIME, variable_name="sensor_id", value_name="value")
        rows = long.filter(pl.col("value").is_finite()).select(
            "sensor_id",
            pl.col(TIME).alias("event_time"),
            pl.lit(quantity).alias("quantity"),
            pl.col("value").cast(pl.Float64),
            pl.col("sensor_id").replace_strict(roles).alias("role"),
            *([] if zone_id is None else [pl.lit(zone_id).alias("zone_id")]),
        )
        if rows.height:
            yield items_of(FEED, source, rows.sort("event_time", maintain_order=True), event_at="event_time")


def _counters(source: str, table: pl.DataFrame, options: ReplayOptions) -> Iterator[Items]:
    """l/h of each step, added up: the counter at the end of each hour. A missing value lets nothing through."""
    meters = [name for name in table.columns if name != TIME]
    hours = (pl.col(TIME).diff().shift(-1).forward_fill().dt.total_microseconds() / 3.6e9).fill_null(0.0)
    hourly = (
        table.select(pl.col(TIME), *(pl.col(name).cast(pl.Float64).fill_null(0.0).fill_nan(0.0) * hours / LITRES_IN_M3
                                     for name in meters))
        .group_by_dynamic(TIME, every=HOUR, label="right")
        .agg(pl.col(meters).sum())
        .with_columns(pl.col(meters).cum_sum().round(6))
    )  # fmt: skip
    for part in hourly.iter_slices(ROWS // 20):
        long = part.unpivot(on=meters, index=TIME, variable_name="meter_id", value_name="volume_m3")
        rows = long.select(
            "meter_id",
            pl.col(TIME).alias("event_time"),
            pl.lit(options.medium).alias("medium"),
            pl.lit("flat").alias("scope"),
            "volume_m3",
            *([] if options.zone_id is None else [pl.lit(options.zone_id).alias("zone_id")]),
        )
        yield items_of("meter_reading", source, rows.sort("event_time", maintain_order=True), event_at="event_time")
