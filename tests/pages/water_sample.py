"""The water utility's part of the sample: balance, nights, findings, orders, houses and flags, for the pages' tests."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from city.settings import Settings
from city_state.schema import UPSERT_ENTITY, open_for_writing
from ingest.contracts import Contract
from ingest.contracts.leak_finding import LeakFinding
from ingest.contracts.work_order import WorkOrder
from warehouse.catalog import grant_reader
from warehouse.lake import open_lake

SEED = 5
ZONES = ("dma-1", "dma-2", "dma-3")
DAYS = 45
MARTS = """
CREATE TABLE IF NOT EXISTS marts.mart_water_balance_day (day DATE, zone_id VARCHAR, system_input_m3 DOUBLE,
    billed_metered_m3 DOUBLE, billed_unmetered_m3 DOUBLE, unbilled_m3 DOUBLE, authorised_m3 DOUBLE,
    unauthorised_m3 DOUBLE, under_registered_m3 DOUBLE, apparent_m3 DOUBLE, real_m3 DOUBLE, real_low_m3 DOUBLE,
    real_high_m3 DOUBLE, losses_m3 DOUBLE, losses_low_m3 DOUBLE, losses_high_m3 DOUBLE, nrw_m3 DOUBLE,
    losses_rub DOUBLE, estimated_m3 DOUBLE, ili DOUBLE);
CREATE TABLE IF NOT EXISTS marts.mart_night_flow_day (day DATE, zone_id VARCHAR, night_min_m3_h DOUBLE,
    legitimate_m3_h DOUBLE, night_loss_rub_day DOUBLE, usual_m3_h DOUBLE, band_low_m3_h DOUBLE, band_high_m3_h DOUBLE,
    is_high BOOLEAN);
CREATE TABLE IF NOT EXISTS marts.mart_house_balance_day (day DATE, house_id VARCHAR, medium VARCHAR, zone_id VARCHAR,
    house_m3 DOUBLE, flats_m3 DOUBLE, excess_m3 DOUBLE, excess_pm_m3 DOUBLE);
CREATE TABLE IF NOT EXISTS marts.mart_meter_flag (meter_key VARCHAR, kind VARCHAR, is_open BOOLEAN, reason_ru VARCHAR,
    reason_en VARCHAR, house_id VARCHAR, zone_id VARCHAR, raised_at TIMESTAMPTZ);
CREATE TABLE IF NOT EXISTS marts.mart_meter_visit (visit_id VARCHAR, house_id VARCHAR, result VARCHAR,
    visited_at TIMESTAMPTZ);
CREATE TABLE IF NOT EXISTS marts.mart_work_order (order_id VARCHAR, stage VARCHAR, kind VARCHAR, finding_id VARCHAR,
    contractor VARCHAR, zone_id VARCHAR, place VARCHAR, ordered_at TIMESTAMPTZ, deadline_at TIMESTAMPTZ,
    done_at TIMESTAMPTZ, is_in_time BOOLEAN, cost_rub DOUBLE, saved_m3_h DOUBLE);
"""


def fill(settings: Settings, now: datetime) -> None:
    """Marts over `tests.pages.sample`'s lake; no finding and no order: `tell` adds those to the city state."""
    chance = random.Random(SEED)
    days = [(now + timedelta(hours=3)).date() - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    with open_lake(settings) as lake:
        lake.execute("BEGIN")
        lake.execute(MARTS)
        for table, rows in (
            ("mart_water_balance_day", list(_balance(chance, days))),
            ("mart_night_flow_day", list(_nights(chance, days))),
            ("mart_house_balance_day", list(_houses(chance, days[-30:]))),
            ("mart_meter_flag", _flags(now)),
            ("mart_meter_visit", [(f"v{n}", "b-010", ("ok", "dead", "no_access")[n % 3], now) for n in range(7)]),
            ("mart_work_order", list(_old_orders(now))),
        ):
            marks = ", ".join("?" for _ in rows[0])
            lake.executemany(f"INSERT INTO marts.{table} VALUES ({marks})", rows)
        lake.execute("COMMIT")
        grant_reader(settings)


def _balance(chance: random.Random, days: list[date]) -> Iterable[tuple[Any, ...]]:
    for day in days:
        for index, zone in enumerate(ZONES):
            given = (420.0, 610.0, 350.0)[index] * (1 + chance.gauss(0, 0.03))
            leak = given * (0.24 if zone == "dma-2" and day > days[-8] else 0.07)
            unbilled, unauthorised = given * 0.005, given * 0.0025
            metered = (given - leak - unbilled - unauthorised) * 0.94
            unmetered, under = metered * 0.03, metered * 0.02
            real = given - metered - unmetered - unbilled - unauthorised - under
            apparent, pm = unauthorised + under, given * 0.025
            yield (day, zone, given, metered, unmetered, unbilled, metered + unmetered + unbilled, unauthorised, under,
                   apparent, real, real - pm, real + pm, apparent + real, apparent + real - pm, apparent + real + pm,
                   unbilled + apparent + real, (apparent + real) * 32, metered * 0.03, 2.4)  # fmt: skip


def _nights(chance: random.Random, days: list[date]) -> Iterable[tuple[Any, ...]]:
    for position, day in enumerate(days):
        for index, zone in enumerate(ZONES):
            usual = (6.1, 9.0, 5.2)[index]
            night = usual * (1 + chance.gauss(0, 0.03)) + (6.0 if zone == "dma-2" and position > DAYS - 8 else 0)
            known = position >= 7
            high = night > usual * 1.12
            yield (day, zone, night, usual * 0.35, night * 24 * 32, usual if known else None,
                   usual * 0.88 if known else None, usual * 1.12 if known else None,
                   high if known else None)  # fmt: skip


def _houses(chance: random.Random, days: list[date]) -> Iterable[tuple[Any, ...]]:
    for day in days:
        for number in range(90, 130):
            excess = 2.6 if number % 9 == 0 else -1.4 if number == 100 else 0.1
            yield (
                day,
                f"b-{number:03d}",
                "cold_water",
                ZONES[number % 3],
                9.0 + excess,
                9.0,
                excess + chance.gauss(0, 0.1),
                0.4,
            )


def _flags(now: datetime) -> list[tuple[Any, ...]]:
    told = ("счётчик стоит 6 сут.", "the meter has stood still for 6 days")
    return [(f"k{n}", "stuck", True, *told, f"b-{95 + n * 4:03d}", ZONES[n % 3], now) for n in range(5)]


def _old_orders(now: datetime) -> Iterable[tuple[Any, ...]]:
    for number in range(9):
        at = now - timedelta(days=40 - number * 3)
        done = at + timedelta(hours=(14, 20, 31)[number % 3])
        place = f"труба p{30 + number} / pipe p{30 + number}, {ZONES[number % 3]}"
        yield (f"leak:old-{number}", ("done", "checked", "checked")[number % 3], "leak_repair", f"old-{number}",
               ("vodokanal-crew-1", "remstroy")[number % 2], ZONES[number % 3], place,
               at, at + timedelta(hours=24), done, number % 3 != 2, 41_000.0 + 3_700 * number,
               2.1 + 0.3 * number)  # fmt: skip


def finding(code: str, now: datetime, **told: Any) -> LeakFinding:
    known: dict[str, Any] = {
        "zone_id": "dma-2", "pipe": "p070", "first_seen": now - timedelta(days=6),
        "likely_start": now - timedelta(days=7), "flow_m3_h": 6.2, "flow_low_m3_h": 5.1, "flow_high_m3_h": 7.4,
        "cost_day": 4_760.0, "confidence": 0.83,
        "alternatives": json.dumps([{"pipe": "p071", "weight": 0.3, "distance_m": 96.0},
                                    {"pipe": "p068", "weight": 0.12, "distance_m": 182.0}]),
    }  # fmt: skip
    return LeakFinding(finding_id=code, event_time=now, status="open", **{**known, **told})


def order(one: LeakFinding, now: datetime, *, hours: float, stage: str = "ordered") -> WorkOrder:
    """hours: until the deadline; negative: late."""
    return WorkOrder(
        order_id=f"leak:{one.finding_id}", event_time=now, stage=stage, kind="leak_repair",  # type: ignore[arg-type]
        finding_id=one.finding_id, contractor="remstroy", zone_id=one.zone_id,
        place=f"труба {one.pipe} / pipe {one.pipe}, {one.zone_id}", ordered_at=now - timedelta(hours=20),
        deadline_at=now + timedelta(hours=hours),
    )  # fmt: skip


def tell(settings: Settings, messages: Iterable[Contract]) -> None:
    """Puts messages into the city state, as the gateway would."""
    connection = open_for_writing(settings.state_path)
    try:
        for number, message in enumerate(messages):
            spec = message.spec
            moment = int(message.event_time.astimezone(UTC).timestamp() * 1e6)  # type: ignore[attr-defined]
            connection.execute(
                UPSERT_ENTITY,
                (spec.code, str(getattr(message, spec.entity or "")), moment, number, moment, "ok", None, None,
                 message.model_dump_json()),
            )  # fmt: skip
        connection.commit()
    finally:
        connection.close()


def running(now: datetime) -> list[Contract]:
    """Three leaks: a dear one without a crew, one with a crew on its way, a small unsure one."""
    second = finding("dma-3:p120:1", now, zone_id="dma-3", pipe="p120", flow_m3_h=2.4, flow_low_m3_h=1.6,
                     flow_high_m3_h=3.3, cost_day=1_843.0, likely_start=now - timedelta(days=3),
                     first_seen=now - timedelta(days=2), alternatives=None)  # fmt: skip
    third = finding("dma-1:none:1", now, zone_id="dma-1", pipe=None, flow_m3_h=0.8, flow_low_m3_h=0.3,
                    flow_high_m3_h=1.4, cost_day=614.0, confidence=0.41, likely_start=now - timedelta(days=12),
                    first_seen=now - timedelta(days=5), alternatives=None)  # fmt: skip
    return [finding("dma-2:p070:1", now), second, third, order(second, now, hours=5, stage="accepted")]
