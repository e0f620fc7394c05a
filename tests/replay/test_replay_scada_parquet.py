"""scada-parquet: the simulated L-Town against polars alone; meters as counters; files that are none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

START = datetime(2019, 3, 1)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes columns of two hours, a value each 30 minutes, under a name."""

    def write(name: str, **columns: list[float]) -> Path:
        length = len(next(iter(columns.values())))
        times = [START + timedelta(minutes=30 * step) for step in range(length)]
        path = tmp_path / name
        pl.DataFrame({"timestamp": times, **columns}).write_parquet(path)
        return path

    return write


def test_the_name_tells_the_quantity(played: Callable[..., Any], table: Callable[..., Path]) -> None:
    rows, refusals = played(
        "scada-parquet", table("flows_m3_h_2019.parquet", p227=[1.0, 2.0], p235=[3.0, float("nan")])
    )
    assert refusals == []
    assert rows.select("sensor_id", "quantity", "value", "role", "zone_id").rows() == [
        ("p227", "flow_m3_h", 1.0, "inlet", "l-town"),
        ("p235", "flow_m3_h", 3.0, "inlet", "l-town"),
        ("p227", "flow_m3_h", 2.0, "inlet", "l-town"),
    ]
    rows, _ = played("scada-parquet", table("pressures_m.parquet", n1=[28.5]), zone_id="A")
    assert rows.select("quantity", "zone_id", "role").row(0) == ("pressure_m", "A", "internal")


def test_demands_become_a_counter_an_hour(played: Callable[..., Any], table: Callable[..., Path]) -> None:
    """600 l/h for half an hour and 400 for another are 0.5 m3 at the end of the hour."""
    rows, _ = played("scada-parquet", table("demands_l_h_2019.parquet", n1=[600.0, 400.0, 0.0, 1_000.0]), zone_id="A")
    assert rows.select("meter_id", "event_time", "volume_m3", "zone_id").rows() == [
        ("n1", "2019-03-01T01:00:00Z", 0.5, "A"),
        ("n1", "2019-03-01T02:00:00Z", 1.0, "A"),
    ]


def test_what_cannot_be_read_is_refused_with_a_reason(
    played: Callable[..., Any], table: Callable[..., Path], tmp_path: Path
) -> None:
    rows, [refusal] = played("scada-parquet", table("leak_truth_m3_h_2019.parquet", p257=[0.0]))
    assert rows.height == 0
    assert "--quantity" in refusal.reason
    broken = tmp_path / "flows_m3_h.parquet"
    broken.write_bytes(b"PAR1 and nothing")
    _, [refusal] = played("scada-parquet", broken)
    assert "no Parquet" in refusal.reason


@pytest.mark.slow
def test_simulated_year_equals_polars(data: Path, played: Callable[..., Any]) -> None:
    path = data / "water_network" / "simulated" / "levels_m_2018.parquet"
    rows, refusals = played("scada-parquet", path)
    told = pl.read_parquet(path)
    assert (rows.height, refusals) == (told.height, [])
    assert rows["value"].sum() == pytest.approx(told["T1"].cast(pl.Float64).sum(), rel=1e-9)
