"""Water balance of 100,000 meters for a month: from metered days to the balance by zone, house and month.

Meter-days of a month, one in fifty spread over a gap and one meter in a hundred silent at the end, and the inlets of 20
zones are written where the meters' models put them. Timed are the models from there on, by dbt's own clock of each
(its start and parsing are the same for one meter and for 100,000, and are left out).
"""

from __future__ import annotations

import json
import time
from typing import Any

from bench.lib.processes import environment, python, step
from bench.lib.table import BenchTable, Goal, Options, workplace
from city.settings import ROOT, Settings
from orchestration.lib.dbt_child import PARENT_VARIABLE
from warehouse.lake import dbt_env, open_lake
from warehouse.lock import writer_lock
from warehouse.tables import ensure_tables

METERS, DAYS, ZONES = 100_000, 31, 20
MODELS = (
    "mart_meter_use_day", "int_balance_zone_day", "int_balance_zone_month", "mart_water_balance_day",
    "mart_water_balance_month", "mart_house_balance_day",
)  # fmt: skip
BALANCE = MODELS[:5]

METER_DAYS = """
INSERT INTO marts.mart_meter_day BY NAME
SELECT DATE '2026-03-01' + CAST(day AS INTEGER) AS day, printf('%016x', meter) AS meter_key, 'cold_water' AS medium,
    CASE WHEN meter % 40 = 0 THEN 'house' ELSE 'flat' END AS scope, 'zone-' || (meter // 40) % $zones AS zone_id,
    'house-' || meter // 40 AS house_id, 24 AS readings,
    (CASE WHEN meter % 40 = 0 THEN 12 ELSE 0.3 END) * (0.5 + hash(meter, day) % 1000 / 1000.0) AS used_m3,
    CAST(NULL AS DOUBLE) AS used_kwh, CASE WHEN hash(day, meter) % 50 = 0 THEN 200000 ELSE 3600 END AS max_gap_s,
    0 AS steps_back, 1.0 AS covered_share
FROM range($meters) AS m(meter), range($days) AS d(day)
WHERE NOT (meter % 100 = 7 AND day > 20)
"""
INLETS = """
INSERT INTO intermediate.int_flow_day BY NAME
SELECT DATE '2026-03-01' + CAST(day AS INTEGER) AS day, 'in-' || zone AS sensor_id, 'zone-' || zone AS zone_id,
    'inlet' AS role, 288 AS readings, 86400.0 AS covered_s, $meters / $zones * 0.4 AS volume_m3,
    7200.0 AS night_covered_s, 10.0 AS night_volume_m3
FROM range($zones) AS z(zone), range($days) AS d(day)
"""
ZONE_DAYS = """
INSERT INTO marts.mart_zone_day BY NAME
SELECT day, zone_id, sum(volume_m3) AS inflow_m3, 1.0 AS covered_share
FROM intermediate.int_flow_day GROUP BY day, zone_id
"""


def run(options: Options) -> BenchTable:
    meters = options.sized(METERS, 400)
    table = BenchTable(f"Water balance of {meters:,} meters over {DAYS} days", ["model", "rows", "seconds"])
    with workplace(options, "water-balance") as folder:
        settings = Settings(home=folder)
        with open_lake(settings) as lake:
            ensure_tables(lake)
        _dbt(settings, "run", "--select", *(f"+{model}" for model in MODELS))
        started = time.monotonic()
        with writer_lock(settings, "bench"), open_lake(settings) as lake:
            sizes = {"meters": meters, "zones": ZONES, "days": DAYS}
            lake.execute(METER_DAYS, sizes)
            lake.execute(INLETS, sizes)
            lake.execute(ZONE_DAYS)
        filled = time.monotonic() - started
        seconds = _dbt(settings, "run", "--full-refresh", "--select", *MODELS)
        with open_lake(settings) as lake:
            for model in MODELS:
                schema = "marts" if model.startswith("mart_") else "intermediate"
                count = lake.execute(f"SELECT count(*) FROM {schema}.{model}").fetchone()
                table.rows.append([model, count[0] if count else 0, seconds[model]])
    balance = sum(seconds[model] for model in BALANCE)
    table.goals = [Goal("balance by zone, day and month, s", balance, 10.0, "lower")]
    table.notes = [f"{meters * DAYS:,} meter-days were made in {filled:.1f} s; house balance is beside the goal"]
    return table


def _dbt(found: Settings, *arguments: str) -> dict[str, float]:
    """Seconds of each model."""
    project, target = str(ROOT / "dbt"), found.home / "dbt" / "bench"
    command = python("-m", "orchestration.lib.dbt_child", "--quiet", *arguments, "--project-dir", project)
    command += ["--profiles-dir", project, "--target-path", str(target), "--log-path", str(target)]
    env = environment(found) | dbt_env(found) | {"DBT_PROJECT_DIR": project}
    env.pop(PARENT_VARIABLE, None)
    with writer_lock(found, "bench"):
        step(command, env)
    results: dict[str, Any] = json.loads((target / "run_results.json").read_text())
    return {one["unique_id"].rsplit(".", 1)[-1]: one["execution_time"] for one in results["results"]}
