"""scada-csv: L-Town's flows of 2019 against polars alone, roles, quantities, cells that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

FLOWS = "water_network/ltown_2019_flows.csv"


def test_l_town_flows_equal_polars(data: Path, played: Callable[..., Any]) -> None:
    rows, refusals = played("scada-csv", data / FLOWS, zone_id="A")
    told = pl.read_csv(data / FLOWS, separator=";", decimal_comma=True)
    assert (rows.height, refusals) == (told.height * 3, []) == (315_360, [])
    sums = dict(rows.group_by("sensor_id").agg(pl.col("value").sum()).iter_rows())
    for sensor in ("p227", "p235", "PUMP_1"):
        assert sums[sensor] == pytest.approx(told[sensor].sum(), rel=1e-9)
    assert dict(rows.select("sensor_id", "role").unique().iter_rows()) == {
        "p227": "inlet",
        "p235": "inlet",
        "PUMP_1": "internal",
    }
    assert rows["quantity"].unique().to_list() == ["flow_m3_h"]
    assert rows["zone_id"].unique().to_list() == ["A"]


def test_clock_of_l_town_has_no_summer_time(data: Path) -> None:
    """Every five minutes of the year is there once: so the clock's offset is fixed, and UTC is as good as any."""
    at = pl.read_csv(data / FLOWS, separator=";", columns=["Timestamp"])["Timestamp"].str.to_datetime()
    assert at.len() == 365 * 288
    assert at.diff().drop_nulls().dt.total_seconds().unique().to_list() == [300]


def test_quantity_is_told_or_asked_for(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    pressures = file("Timestamp;n1;n4\n2019-01-01 00:00:00;28,6;33,71\n")
    rows, [refusal] = played("scada-csv", pressures)
    assert rows.height == 0
    assert "--quantity" in refusal.reason
    rows, refusals = played("scada-csv", pressures, quantity="pressure_m")
    assert (rows["value"].to_list(), refusals) == ([28.6, 33.71], [])
    assert rows["role"].to_list() == ["internal", "internal"]
    levels, _ = played("scada-csv", file("Timestamp;T1\n2019-01-01 00:00:00;3,5\n"))
    assert levels["quantity"].to_list() == ["level_m"]


def test_roles_by_option(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    path = file("Timestamp;p227;p9\n2019-01-01 00:00:00;1;2\n")
    rows, _ = played("scada-csv", path, roles={"p9": "outlet", "p227": "internal"})
    assert rows["role"].to_list() == ["internal", "outlet"]


def test_bad_cell_costs_only_itself(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    lines = ("Timestamp;p1;p2;p3", "2019-01-01 00:00:00;1,5;broken;", "2019-13-01 00:00:00;1;2;3")
    text = "\n".join((*lines, "2019-01-01 00:10:00;4;5;6", "1;2", ""))
    rows, refusals = played("scada-csv", file(text))
    assert rows["value"].to_list() == [1.5, 4.0, 5.0, 6.0]
    assert sorted(refusal.reason[:7] for refusal in refusals) == ["line 2:", "line 3:", "line 5:"]
    cell = next(refusal for refusal in refusals if refusal.reason.startswith("line 2"))
    assert cell.reason == "line 2: p2 is no number, got broken"
    assert cell.payload == b"2019-01-01 00:00:00;1,5;broken;"


def test_local_clock_of_another_network(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    path = file("Timestamp;p1\n2019-07-01 03:00:00;1\n")
    assert played("scada-csv", path, time_zone="Europe/Moscow")[0]["event_time"].to_list() == ["2019-07-01T00:00:00Z"]
