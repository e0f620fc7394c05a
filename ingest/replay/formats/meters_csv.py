"""meters-csv: hourly readings of household water meters as DAIAD published them (github DAIAD/data, trial A, Alicante).

Columns: user.key; datetime (dd/mm/yyyy hh:mm:ss); meter.reading (litres, cumulative); diff (litres, not read: it is
the difference of two readings). Also as the only file of a .zip.

The times are local: on 2016-03-27 no meter of DAIAD's 81 has a reading from 02:00 to 02:59, and on 2016-10-30 there are
178 where every other hour has about 80. So:

- a time that the spring jump leaves out never was: its line is refused;
- of the hour that occurs twice, a meter's readings are the first (summer time) ones until its clock does not go on
  (a time that is not later than the reading before it, in the file's order), and the second ones from there on. A meter
  with a single reading in that hour is taken to mean the first. Known flaw: of three readings as 02:08:17, 02:08:18,
  02:08:18 the middle one counts to the first pass and may belong to the second; DAIAD has about 20 of them.

One meter may repeat a line; the contract's key makes one row of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ingest.parcel import Refusal
from ingest.replay.delimited import LINE_NO, delimited_tables
from ingest.replay.files import opened
from ingest.replay.items import Items
from ingest.replay.options import ReplayOptions
from ingest.replay.rows import Field, number, shape, text

NAME = "meters-csv"
FEED = "meter_reading"
TITLE = "Water meters, DAIAD layout / Счётчики воды, CSV DAIAD"

DEFAULT_ZONE = "Europe/Madrid"
LITRES_IN_M3 = 1_000
REQUIRED = ("user.key", "datetime", "meter.reading")
LAYOUT = "%d/%m/%Y %H:%M:%S"


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    source = f"replay:{NAME}:{path.name}"
    zone = options.time_zone or DEFAULT_ZONE
    seconds_hours = _SecondHours(zone)
    with opened(path) as stream:
        for table in delimited_tables(stream, FEED, source, ";", REQUIRED):
            if isinstance(table, Refusal):
                yield table
            else:
                timed = seconds_hours.mark(table)
                yield from shape(FEED, source, timed, _fields(options, zone), event_at="event_time")


def _fields(options: ReplayOptions, zone: str) -> list[Field]:
    litres = number("volume_m3", "meter.reading", required=True)
    why = f"is no local time of {zone} (dd/mm/yyyy hh:mm:ss; the spring jump leaves an hour out)"
    fields = [
        text("meter_id", "user.key", required=True),
        Field("event_time", "datetime", pl.col("__moment"), why, required=True),
        Field("volume_m3", "meter.reading", litres.value / LITRES_IN_M3, litres.why, required=True),
        Field("medium", "user.key", pl.lit(options.medium)),
        Field("scope", "user.key", pl.lit("flat")),
    ]
    if options.zone_id is not None:
        fields.append(Field("zone_id", "user.key", pl.lit(options.zone_id)))
    return fields


class _SecondHours:
    """Tells the two passes of an autumn hour apart, over the tables of one file.

    A meter whose readings of that hour lie in two tables (8 MB each) starts with the second anew; `_tail` keeps the
    last local time of each meter, and whether it was in the second pass, from table to table.
    """

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._tail = pl.DataFrame(
            schema={"user.key": pl.String, "__last": pl.Datetime("us"), "__was_second": pl.Boolean}
        )

    def mark(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with `__moment`: Datetime in UTC, null where the text is no local time that ever was."""
        local = pl.col("datetime").str.to_datetime(LAYOUT, time_unit="us", strict=False)
        told = table.with_columns(__local=local)
        told = told.with_columns(__twice=self._at("earliest") != self._at("latest"))
        if not told["__twice"].any():
            self._tail = self._tail.clear()
            return told.with_columns(__moment=self._at("earliest"))
        return self._tell_apart(told)

    def _tell_apart(self, told: pl.DataFrame) -> pl.DataFrame:
        before = pl.coalesce(pl.col("__local").shift(1).over("user.key", order_by=LINE_NO), pl.col("__last"))
        stepped_back = pl.col("__twice") & (pl.col("__local") <= before)
        same_hour = pl.col("__local").dt.truncate("1h")
        joined = told.join(self._tail, on="user.key", how="left", maintain_order="left").with_columns(
            __hour=same_hour, __stepped=stepped_back.fill_null(False)
        )
        carried = pl.col("__was_second").fill_null(False) & (pl.col("__last").dt.truncate("1h") == pl.col("__hour"))
        second = (
            (pl.col("__stepped") | carried.fill_null(False))
            .cast(pl.Int8)
            .cum_max()
            .over("user.key", "__hour", order_by=LINE_NO)
        )
        marked = joined.with_columns(__second=second.cast(pl.Boolean) & pl.col("__twice"))
        self._tail = (
            marked.filter(pl.col("__local").is_not_null())
            .sort(LINE_NO)
            .group_by("user.key")
            .agg(pl.col("__local").last().alias("__last"), pl.col("__second").last().alias("__was_second"))
        )
        return marked.with_columns(
            __moment=pl.when(pl.col("__second")).then(self._at("latest")).otherwise(self._at("earliest"))
        )

    def _at(self, which: str) -> pl.Expr:
        return (
            pl.col("__local")
            .dt.replace_time_zone(self._zone, ambiguous=which, non_existent="null")  # type: ignore[arg-type]
            .dt.convert_time_zone("UTC")
        )
