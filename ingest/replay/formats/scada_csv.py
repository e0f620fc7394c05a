"""scada-csv: sensors as columns, as the contest BattLeDIM published its SCADA (KIOS Research Center, zenodo 4017659).

`Timestamp;p227;p235;PUMP_1`, `;` separated, decimal comma, local time without an offset. A row of the file is one
reading a column. What a column measures is told by its name where the contest's naming is clear: p… and PUMP_… are
flows of pipes and pumps (m3/h), T… levels of tanks (m). Nodes n… have pressures (m) in one file of the contest and
demands (l/h) in another, so those need --quantity. p227 and p235 feed the main area of L-Town: inlets, unless --role
says otherwise; PUMP_1 moves water inside it to the tank: internal.

The clock: 2019 has all its 105,120 steps of five minutes, none twice: a clock without summer time, taken for UTC.
Give --time-zone for a file of your own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ingest.parcel import Refusal
from ingest.replay.delimited import FAULT, FAULT_FIELD, LINE_NO, RAW, delimited_tables
from ingest.replay.files import opened
from ingest.replay.items import Items
from ingest.replay.options import ReplayOptions
from ingest.replay.rows import Field, number, refusals, shape

NAME = "scada-csv"
FEED = "scada_reading"
TITLE = "SCADA, BattLeDIM layout / SCADA, CSV BattLeDIM"

DEFAULT_ZONE = "UTC"
TIME = "Timestamp"
LAYOUT = "%Y-%m-%d %H:%M:%S"
BY_NAME = ((re.compile(r"p\d+|PUMP_?\w*"), "flow_m3_h"), (re.compile(r"T\d+"), "level_m"))
INLETS = {"p227": "inlet", "p235": "inlet"}
CONTEST_ZONE = "l-town"
"""Zone of a file that has the contest's two inlets, unless --zone-id says otherwise: else they were in no balance."""

SENSOR, TEXT, MOMENT = "__sensor", "__text", "__moment"


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    source = f"replay:{NAME}:{path.name}"
    with opened(path) as stream:
        for table in delimited_tables(stream, FEED, source, ";", (TIME,)):
            if isinstance(table, Refusal):
                yield table
                continue
            sensors = [name for name in table.columns if name not in (TIME, LINE_NO, RAW, FAULT, FAULT_FIELD)]
            quantities = {sensor: options.quantity or _quantity(sensor) for sensor in sensors}
            unknown = [sensor for sensor, quantity in quantities.items() if quantity is None]
            if unknown:
                reason = f"what column {unknown[0]} measures is not told by its name: give --quantity"
                yield Refusal(FEED, source, TIME.encode(), reason, unknown[0])
                return
            yield from _readings(source, table, {name: str(found) for name, found in quantities.items()}, options)


def _quantity(sensor: str) -> str | None:
    return next((quantity for shape_of, quantity in BY_NAME if shape_of.fullmatch(sensor)), None)


def _readings(
    source: str, table: pl.DataFrame, quantities: dict[str, str], options: ReplayOptions
) -> Iterator[Items | Refusal]:
    """A table of one row a moment becomes one of a row a reading; an empty cell is no reading."""
    moment = (
        pl.col(TIME)
        .str.to_datetime(LAYOUT, time_unit="us", strict=False)
        .dt.replace_time_zone(options.time_zone or DEFAULT_ZONE, ambiguous="earliest", non_existent="null")
    )
    timed = table.with_columns(moment.alias(MOMENT))
    wrong_time = pl.when(pl.col(MOMENT).is_null()).then(pl.lit("is no local time (yyyy-mm-dd hh:mm:ss)"))
    timed = timed.with_columns(
        pl.coalesce(FAULT, wrong_time).alias(FAULT),
        pl.when(pl.col(FAULT).is_null() & pl.col(MOMENT).is_null()).then(pl.lit(TIME)).alias(FAULT_FIELD),
    )
    good = timed.filter(pl.col(FAULT).is_null())
    if not good.is_empty():
        yield from shape(FEED, source, _long(good, quantities), _fields(quantities, options), event_at="event_time")
    yield from refusals(FEED, source, timed.filter(pl.col(FAULT).is_not_null()))


def _long(table: pl.DataFrame, quantities: dict[str, str]) -> pl.DataFrame:
    long = table.unpivot(
        on=list(quantities), index=[LINE_NO, RAW, MOMENT], variable_name=SENSOR, value_name=TEXT
    ).filter(pl.col(TEXT) != "")
    value = number("value", TEXT, decimal_comma=True).value
    fault = pl.when(value.is_null()).then(pl.format("{} is no number, got {}", SENSOR, pl.col(TEXT).str.slice(0, 100)))
    return long.with_columns(fault.alias(FAULT), pl.lit(None, dtype=pl.String).alias(FAULT_FIELD)).sort(
        LINE_NO, maintain_order=True
    )


def _fields(quantities: dict[str, str], options: ReplayOptions) -> list[Field]:
    roles = {sensor: {**INLETS, **options.roles}.get(sensor, "internal") for sensor in quantities}
    fields = [
        Field("sensor_id", SENSOR, pl.col(SENSOR), required=True),
        Field("event_time", SENSOR, pl.col(MOMENT), required=True),
        Field("quantity", SENSOR, pl.col(SENSOR).replace_strict(quantities), required=True),
        number("value", TEXT, decimal_comma=True, required=True),
        Field("role", SENSOR, pl.col(SENSOR).replace_strict(roles), required=True),
    ]
    zone_id = options.zone_id or (CONTEST_ZONE if INLETS.keys() <= quantities.keys() else None)
    if zone_id is not None:
        fields.append(Field("zone_id", SENSOR, pl.lit(zone_id)))
    return fields
