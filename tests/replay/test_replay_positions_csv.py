"""positions-csv: the Austin day against polars alone, the unit of its speed, and lines that are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

HEADER = "vehicle_id,timestamp,speed,route_id,trip_id,latitude,longitude,trip_headsign\n"
GOOD = "2010,2015-03-07T10:03:34-06:00,10.0,320,1388007,30.231535,-97.73347,NORTHBOUND\n"
AUSTIN = "transit/austin_vehicle_positions_2015-03-07.csv"
MPH_PER_M_S = 2.236936


def test_austin_day_equals_polars(data: Path, played: Callable[..., Any]) -> None:
    rows, refusals = played("positions-csv", data / AUSTIN)
    told = pl.read_csv(data / AUSTIN, schema_overrides={"vehicle_id": pl.String, "route_id": pl.String})
    assert (rows.height, refusals) == (told.height, []) == (44_564, [])
    assert rows["latitude"].sum() == pytest.approx(told["latitude"].sum(), rel=1e-12)
    assert rows["longitude"].sum() == pytest.approx(told["longitude"].sum(), rel=1e-12)
    assert rows["speed_m_s"].sum() == pytest.approx(told["speed"].sum() * 0.44704, rel=1e-9)
    assert rows["vehicle_id"].n_unique() == told["vehicle_id"].n_unique() == 158
    as_told = told["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%S%:z", time_zone="UTC")
    as_read = rows["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.replace_time_zone("UTC")
    assert (as_read == as_told).all()


def test_speed_is_in_miles_per_hour(data: Path) -> None:
    """Distance over time between fixes of steady speed, against the speed that the file tells."""
    fixes = pl.read_csv(data / AUSTIN).with_columns(
        at=pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%:z", time_zone="UTC").dt.epoch("s")
    )
    metre = 111_195.0
    pairs = fixes.sort("vehicle_id", "at").with_columns(
        seconds=pl.col("at").diff().over("vehicle_id"),
        before=pl.col("speed").shift(1).over("vehicle_id"),
        north=pl.col("latitude").diff().over("vehicle_id") * metre,
        east=pl.col("longitude").diff().over("vehicle_id") * metre * math.cos(math.radians(30.27)),
    )
    steady = pairs.filter(
        pl.col("seconds").is_between(20, 180)
        & (pl.col("speed") > 10)
        & ((pl.col("speed") - pl.col("before")).abs() < 3)
    ).with_columns(m_s=(pl.col("north") ** 2 + pl.col("east") ** 2).sqrt() / pl.col("seconds"))
    ratio = ((steady["speed"] + steady["before"]) / 2 / steady["m_s"]).median()
    assert steady.height > 5_000
    assert ratio == pytest.approx(MPH_PER_M_S, rel=0.02)  # km/h would be 3.6, knots 1.94, m/s 1


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("2010,2015-03-07T10:03:34-06:00,10.0", None, "3 fields where the header has 8"),
        (GOOD.strip() + ",more", None, "9 fields"),
        (GOOD.strip().replace("2015-03-07T10:03:34-06:00", "yesterday"), "timestamp", "no time"),
        (GOOD.strip().replace("-06:00", ""), "timestamp", "offset"),
        (GOOD.strip().replace("2015-03-07", "2015-02-30"), "timestamp", "no time"),
        (GOOD.strip().replace("30.231535", "north"), "latitude", "no number"),
        (GOOD.strip().replace("30.231535", "NaN"), "latitude", "no number"),
        (GOOD.strip().replace("30.231535", "1e999"), "latitude", "no number"),
        (GOOD.strip().replace("-97.73347", ""), "longitude", "no number"),
        (GOOD.strip().replace("10.0", "fast"), "speed", "no number"),
        (GOOD.strip().replace("2010,", ",", 1), "vehicle_id", "empty"),
        (GOOD.strip().replace("NORTHBOUND", '"NORTH'), None, "quote"),
        (GOOD.strip().replace("NORTHBOUND", "x" * 70_000), None, "longer than"),
    ],
)
def test_malformed_line_is_refused_with_its_bytes_and_number(
    played: Callable[..., Any], file: Callable[..., Path], line: str, field: str | None, reason: str
) -> None:
    rows, [refusal] = played("positions-csv", file(HEADER + GOOD + line + "\n" + GOOD))
    assert rows.height == 2
    assert refusal.reason.startswith("line 3: ")
    assert reason in refusal.reason
    assert refusal.field == field
    assert refusal.payload == line.encode()[:65_536]


def test_bytes_that_are_no_utf8_are_refused_alone(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    bad = GOOD.encode().replace(b"NORTH", b"\xff\xfe\xff")
    rows, [refusal] = played("positions-csv", file(HEADER.encode() + bad + GOOD.encode()))
    assert rows.height == 1
    assert refusal.payload == bad.rstrip(b"\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_marks_and_quotes(
    played: Callable[..., Any], file: Callable[..., Path], end: str, mark: str, last: bool
) -> None:
    quoted = GOOD.replace("NORTHBOUND", '"NORTH, ""FAST"""')
    content = mark + (HEADER + GOOD + "\n" + quoted).replace("\n", end)
    rows, refusals = played("positions-csv", file(content if last else content.removesuffix(end)))
    assert refusals == []
    assert rows["trip_headsign"].to_list() == ["NORTHBOUND", 'NORTH, "FAST"']


def test_empty_optional_fields_are_left_out(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    rows, refusals = played("positions-csv", file(HEADER + "7,2015-03-07T10:03:34Z,,,,1,2,\n"))
    assert refusals == []
    assert rows.select("speed_m_s", "route_id", "trip_headsign").row(0) == (None, None, None)


def test_columns_in_another_order_and_unknown_ones(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    text = "longitude,extra,latitude,timestamp,vehicle_id\n2,x,1,2015-03-07T10:03:34Z,7\n"
    rows, refusals = played("positions-csv", file(text))
    assert refusals == []
    assert rows.select("latitude", "longitude", "vehicle_id").row(0) == (1.0, 2.0, "7")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n\n\r\n", "empty"),
        (b"a,b,c\n1,2,3\n", "lacks vehicle_id"),
        (b"\xff\xfev\x00", "no UTF-8"),
        (b"vehicle_id,vehicle_id,timestamp,latitude,longitude\n", "twice"),
        (b"\x00" * 5_000_000, "no UTF-8|longer|lacks"),
    ],
)
def test_file_that_is_none_is_one_refusal(
    played: Callable[..., Any], file: Callable[..., Path], content: bytes, reason: str
) -> None:
    rows, [refusal] = played("positions-csv", file(content))
    assert rows.height == 0
    assert any(part in refusal.reason for part in reason.split("|")), refusal.reason


def test_tables_of_any_size_give_the_same(
    played: Callable[..., Any], file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that lie across two blocks come whole, and are counted right."""
    import ingest.replay.lines as lines

    content = HEADER + (GOOD + "broken\n") * 50
    whole = played("positions-csv", file(content))
    for size in (1, 7, 64, 100, 1_000):
        monkeypatch.setattr(lines.line_tables, "__defaults__", (size,))
        rows, refusals = played("positions-csv", file(content))
        assert rows.equals(whole[0])
        assert refusals == whole[1]
    assert [refusal.reason.split(":")[0] for refusal in whole[1][:2]] == ["line 3", "line 5"]
