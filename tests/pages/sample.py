"""A small city's data for the tests of the pages: a real lake and a real city state, filled by their own schemas.

The marts are filled directly, because the pages are what is under test; the segments, raw rows, quarantine and
outcomes are such as the loader leaves. Everything is drawn from one seed.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from city.settings import Settings
from city_state.schema import UPSERT_ENTITY, UPSERT_FEED, open_for_writing
from domains.kpi.catalogue import catalogue
from warehouse.catalog import grant_reader
from warehouse.lake import open_lake
from warehouse.tables import ensure_tables

SEED = 20261124
DAYS = 45
ZONES = ("dma-1", "dma-2", "dma-3")
SITES = [f"waste-{number:02d}" for number in range(1, 13)]
CITY = Path(__file__).resolve().parents[2] / "cities" / "gorodok"

MARTS = """
CREATE TABLE marts.mart_kpi_daily (city VARCHAR, day DATE, code VARCHAR, value DOUBLE, unit VARCHAR,
    numerator DOUBLE, denominator DOUBLE, target DOUBLE, better VARCHAR, source VARCHAR);
CREATE TABLE marts.mart_feed_health (feed VARCHAR, origin VARCHAR, owner VARCHAR, rows_total BIGINT, rows_24h BIGINT,
    last_event_at TIMESTAMPTZ, last_received_at TIMESTAMPTZ, quarantined_total BIGINT, quarantined_24h BIGINT,
    duplicates_total BIGINT, conflicts_total BIGINT, clock_marked_24h BIGINT, gap_messages_24h BIGINT,
    freshness_s BIGINT, failures_24h BIGINT);
CREATE TABLE marts.mart_zone_day (day DATE, zone_id VARCHAR, inflow_m3 DOUBLE, metered_m3 DOUBLE, loss_m3 DOUBLE,
    loss_share DOUBLE, night_flow_m3_h DOUBLE, covered_share DOUBLE, metered_covered_share DOUBLE,
    night_covered_share DOUBLE);
CREATE TABLE marts.mart_vehicle_day (day DATE, vehicle_id VARCHAR, route_id VARCHAR, fixes BIGINT,
    first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, distance_m DOUBLE, moving_s DOUBLE, median_interval_s DOUBLE,
    max_gap_s DOUBLE, intervals BIGINT, intervals_in_norm BIGINT, jumps BIGINT);
CREATE TABLE marts.mart_camera_event (event_id VARCHAR, camera_id VARCHAR, site_id VARCHAR, event_at TIMESTAMPTZ,
    class_name VARCHAR, confidence DOUBLE, frame_ref VARCHAR, latitude DOUBLE, longitude DOUBLE);
CREATE TABLE marts.mart_crossing_hour (site_id VARCHAR, hour TIMESTAMP, day DATE, people BIGINT, lightings BIGINT,
    used BIGINT, lit_before_step BIGINT, false_lightings BIGINT, lamp_failures BIGINT);
CREATE TABLE marts.mart_site (site_id VARCHAR, last_event_at TIMESTAMPTZ, last_class VARCHAR, last_confidence DOUBLE,
    events_7d BIGINT, open_tasks BIGINT);
"""

Row = tuple[Any, ...]


def fill(settings: Settings, now: datetime | None = None) -> None:
    """A lake with 45 days of marts and a city state as of `now`."""
    moment = now or datetime.now(UTC)
    fill_lake(settings, moment)
    fill_state(settings, moment)


def fill_lake(settings: Settings, now: datetime) -> None:
    chance = random.Random(SEED)
    with open_lake(settings) as lake:
        ensure_tables(lake)
        grant_reader(settings)
        lake.execute("BEGIN")
        lake.execute(MARTS)
        for table, rows in (
            ("marts.mart_kpi_daily", kpi_rows(chance, now, settings.city)),
            ("marts.mart_feed_health", health_rows(now)),
            ("marts.mart_zone_day", zone_rows(chance, now)),
            ("marts.mart_vehicle_day", vehicle_rows(chance, now)),
            ("marts.mart_camera_event", camera_rows(now)),
            ("marts.mart_site", site_rows(now)),
            ("marts.mart_crossing_hour", crossing_rows(chance, now)),
            ("ops.segment", segment_rows(now)),
        ):
            marks = ", ".join("?" for _ in rows[0])
            lake.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        _raw(lake, "vehicle_position", position_rows(now))
        _raw(lake, "quarantine", quarantine_rows(now))
        _raw(lake, "ingest_outcome", outcome_rows(now))
        lake.execute("COMMIT")
        grant_reader(settings)


def _raw(lake: Any, feed: str, rows: list[dict[str, Any]]) -> None:
    columns = list(rows[0])
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" for _ in columns)
    lake.executemany(f"INSERT INTO raw.{feed} ({names}) VALUES ({marks})", [tuple(row.values()) for row in rows])


def _days(now: datetime) -> list[date]:
    today = (now + timedelta(hours=3)).date()
    return [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def kpi_rows(chance: random.Random, now: datetime, city: str) -> list[Row]:
    rows: list[Row] = []
    for index, entry in enumerate(catalogue().kpis):
        target = entry.target.value if entry.target else None
        level = target if target else (14.2, 640.0, 6.1, 3.0)[index % 4]
        wanted = (1.03, 0.97, 0.8, 1.25)[index % 4] if entry.better == "higher" else (0.7, 1.05, 1.6, 0.4)[index % 4]
        for position, day in enumerate(_days(now)):
            value = level * wanted * (1 + 0.04 * math.sin(position / 3 + index) + chance.gauss(0, 0.012))
            value = min(value, 100.0) if entry.unit == "%" else value
            numerator = value * 3.1 / entry.factor
            denominator = 3.1 if entry.kind == "ratio" else 40.0
            rows.append((city, day, entry.code, value, entry.unit, numerator, denominator, target, entry.better,
                         entry.source.text))  # fmt: skip
    return rows


def zone_rows(chance: random.Random, now: datetime) -> list[Row]:
    rows: list[Row] = []
    for position, day in enumerate(_days(now)):
        for index, zone in enumerate(ZONES):
            inflow = (420.0, 610.0, 350.0)[index] * (1 + chance.gauss(0, 0.03))
            leak = 0.09 + (0.22 * min(1, (position - DAYS + 7) / 4) if zone == "dma-2" and position > DAYS - 8 else 0)
            loss = inflow * (leak + chance.gauss(0, 0.006))
            night = inflow * 0.012 + (loss / 24) * 0.9
            rows.append((day, zone, inflow, inflow - loss, loss, loss / inflow, night, 1.0, 0.97, 1.0))
    return rows


def health_rows(now: datetime) -> list[Row]:
    from ingest.contracts import CONTRACTS

    return [
        (code, one.spec.origin, one.spec.owner, 12_000, 2_400, now, now, 4, 3, 120, 0, 2, 1, one.spec.freshness_s, 0)
        for code, one in CONTRACTS.items()
    ]


def vehicle_rows(chance: random.Random, now: datetime) -> list[Row]:
    return [
        (day, f"bus-{number:02d}", str(number % 3 + 1), 900, now - timedelta(hours=9), now, 142_000.0,
         21_000.0, 20.0, chance.uniform(30, 900), 899, 850, 0)
        for day in _days(now)[-7:] for number in range(1, 10)
    ]  # fmt: skip


def camera_rows(now: datetime) -> list[Row]:
    rows: list[Row] = []
    for number, site in enumerate(SITES):
        for step in range(14):
            at = now - timedelta(hours=step * 12 + number % 5, minutes=number * 3)
            name = (
                "waste_full" if (number + step) % 7 == 0 else "waste_beside" if (number + step) % 9 == 0 else "waste_ok"
            )
            rows.append((f"e-{number}-{step}", f"cam-{site}", site, at, name, 0.91, f"frames/{site}/{step}.jpg",
                         None, None))  # fmt: skip
    return rows


def site_rows(now: datetime) -> list[Row]:
    rows: list[Row] = []
    for number, site in enumerate(SITES):
        last = max((row for row in camera_rows(now) if row[2] == site), key=lambda row: row[3])
        at = now - timedelta(days=2) if number == 5 else last[3]
        rows.append((site, at, last[4], last[5], 14, 1 if last[4] != "waste_ok" or number == 3 else 0))
    return rows


def crossing_rows(chance: random.Random, now: datetime) -> list[Row]:
    """A week of six crossings, busy by day; one lamp fails twice."""
    rows: list[Row] = []
    for day in _days(now)[-7:]:
        for hour in range(6, 24):
            for number in range(1, 7):
                lightings = chance.randint(0, 14 if 7 <= hour <= 19 else 4)
                false = min(lightings, chance.choice((0, 0, 1)))
                used = lightings - false
                late = min(used, chance.choice((0, 0, 0, 0, 1)))
                failed = 1 if number == 4 and hour == 21 and day.day % 3 == 0 else 0
                at = datetime(day.year, day.month, day.day, hour)  # the clock on the wall
                rows.append((f"crossing-{number:02d}", at, day, used + 3, lightings, used, used - late, false, failed))
    return rows


def segment_rows(now: datetime) -> list[Row]:
    feeds = ("vehicle_position", "meter_reading", "scada_reading", "camera_event", "complaint", "alert")
    return [
        (f"{feed}/{now:%Y%m%d}T{hour:02d}0000-{index:04d}.parquet", feed, 12_000 + 731 * index, 12 * index, 0,
         210_000 + 9_000 * index, now - timedelta(hours=hour + 1), now - timedelta(hours=hour),
         now - timedelta(hours=hour, minutes=-1))
        for hour in range(4) for index, feed in enumerate(feeds)
    ]  # fmt: skip


def position_rows(now: datetime) -> list[dict[str, Any]]:
    segment = f"vehicle_position/{now:%Y%m%d}T000000-0000.parquet"
    return [
        {
            "vehicle_id": f"bus-{number:02d}", "timestamp": now - timedelta(minutes=step), "latitude": 57.6,
            "longitude": 39.9, "license_plate": "А123ВС76", "event_at": now - timedelta(minutes=step),
            "received_at": now - timedelta(minutes=step), "clock_status": "ok", "source": "mqtt",
            "segment": segment, "segment_row": number * 100 + step,
        }
        for number in range(1, 10) for step in range(30)
    ]  # fmt: skip


def quarantine_rows(now: datetime) -> list[dict[str, Any]]:
    bad: list[tuple[str, str, str | None, str | None, bytes]] = [
        ("vehicle_position", "latitude: must be at most 90; check the tracker", "latitude", "157.6",
         b'{"vehicle_id":"bus-07","timestamp":"2026-11-24T12:00:00Z","latitude":157.6,"longitude":39.9}'),
        ("meter_reading", "not JSON: the message is not UTF-8 text", None, None, bytes(range(256)) * 4),
        ("camera_event", "class_name: control characters", "class_name", "<script>alert(1)</script>",
         '{"class_name":"<script>alert(1)</script>","note":"\u202eоборот"}'.encode()),
    ]  # fmt: skip
    return [
        {
            "quarantine_id": f"q-{number:04d}", "feed": feed, "topic": f"gorodok/v1/gorodok/{feed}/dev-{number}",
            "refused_at": now - timedelta(minutes=7 * number), "reason": reason, "field": field, "value": value,
            "payload": payload, "retried_at": None, "event_at": now - timedelta(minutes=7 * number),
            "received_at": now - timedelta(minutes=7 * number), "clock_status": "ok", "source": "gateway",
            "segment": "quarantine/0.parquet", "segment_row": number,
        }
        for number, (feed, reason, field, value, payload) in enumerate(bad)
    ]  # fmt: skip


def outcome_rows(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "outcome_id": f"o-{number}", "stage": "fetch", "subject": "open311", "seconds": 10.0 + number,
            "started_at": now - timedelta(hours=number), "success": False, "process": "gateway/host/42",
            "reason": "no answer within 10 s; is the server up?", "steps": 1, "messages": 0, "rows": 0,
            "quarantined": 0, "duplicates": 0, "bytes": 0, "event_at": now - timedelta(hours=number),
            "received_at": now, "clock_status": "ok", "source": "gateway", "segment": "ingest_outcome/0.parquet",
            "segment_row": number,
        }
        for number in range(3)
    ]  # fmt: skip


def fill_state(settings: Settings, now: datetime) -> None:
    """One fresh state; two feeds silent, two incidents open, one bus long unheard."""
    messages = list(state_messages(now))
    connection = open_for_writing(settings.state_path)
    try:
        connection.execute("BEGIN")
        for number, (feed, entity, at, where, told) in enumerate(messages):
            moment = int(at.timestamp() * 1e6)
            connection.execute(
                UPSERT_ENTITY, (feed, entity, moment, number, moment, "ok", *where, json.dumps(told, default=str))
            )
            connection.execute(UPSERT_FEED, (feed, moment, moment, 1))
        connection.execute("COMMIT")
    finally:
        connection.close()


def move(settings: Settings, now: datetime) -> None:
    """The buses report again, a little further on."""
    connection: sqlite3.Connection = open_for_writing(settings.state_path)
    moment = int(now.timestamp() * 1e6)
    connection.execute(
        "UPDATE entity SET event_us = ?, received_us = ?, longitude = longitude + ? WHERE feed = 'vehicle_position'",
        (moment, moment, 0.0006 if now.minute % 2 else -0.0006),
    )
    connection.execute("UPDATE feed SET last_received_us = ?, messages = messages + 1", (moment,))
    connection.close()


def state_messages(now: datetime) -> list[tuple[str, str, datetime, tuple[float | None, float | None], dict[str, Any]]]:
    chance = random.Random(SEED)
    streets = json.loads((CITY / "streets.geojson").read_text(encoding="utf-8"))["features"]
    found: list[tuple[str, str, datetime, tuple[float | None, float | None], dict[str, Any]]] = []
    for number in range(1, 10):
        line = streets[number % len(streets)]["geometry"]["coordinates"]
        lon, lat = line[number % len(line)]
        at = now - (timedelta(minutes=47) if number == 9 else timedelta(seconds=number * 2))
        told = {"vehicle_id": f"bus-{number:02d}", "route_id": str(number % 3 + 1), "speed_m_s": 7.4, "timestamp": at}
        found.append(("vehicle_position", f"bus-{number:02d}", at, (lat, lon), told))
    houses = json.loads((CITY / "buildings.geojson").read_text(encoding="utf-8"))["features"]
    for number, house in enumerate(houses[:120]):
        told = {"meter_id": f"m-{number}", "medium": "cold_water", "volume_m3": 12.3 + number,
                "house_id": house["properties"]["building_id"]}  # fmt: skip
        found.append(("meter_reading", f"m-{number}", now - timedelta(minutes=number % 55), (None, None), told))
    devices = json.loads((CITY / "devices.geojson").read_text(encoding="utf-8"))["features"]
    sensors = [item["properties"]["device_id"] for item in devices if item["properties"]["kind"] == "scada"]
    for number, sensor in enumerate(sensors):
        told = {"sensor_id": sensor, "quantity": "flow_m3_h", "value": 21.4 + number}
        found.append(("scada_reading", sensor, now - timedelta(minutes=31), (None, None), told))
    for number, site in enumerate(SITES[:6]):
        name = "waste_full" if number == 0 else "waste_ok"
        told = {"camera_id": f"cam-{site}", "site_id": site, "class_name": name, "confidence": 0.93}
        found.append(("camera_event", f"cam-{site}", now - timedelta(minutes=4 + number), (None, None), told))
    for number in range(8):
        line = streets[number % len(streets)]["geometry"]["coordinates"]
        lon, lat = line[-1 - number % 3]
        told = {
            "service_name": ("Яма на дороге", "Не горит фонарь")[number % 2],
            "status": "open",
            "executor": "Горсвет",
        }
        found.append(
            (
                "complaint",
                f"2026-{1000 + number}",
                now - timedelta(hours=number + 1),
                (lat + chance.gauss(0, 3e-4), lon),
                told,
            )
        )
    ring = "57.600,39.890 57.604,39.890 57.604,39.900 57.600,39.900 57.600,39.890"
    info = {"language": "ru-RU", "event": "Гололедица", "headline": "Гололедица на дорогах до вечера",
            "severity": "Moderate",
            "expires": now + timedelta(hours=5), "area": [{"areaDesc": "Центр", "polygon": [ring]}]}  # fmt: skip
    english = {**info, "language": "en-US", "event": "Glaze ice", "headline": "Glaze ice on roads until evening"}
    told = {"identifier": "a-1", "msgType": "Alert", "info": [info, english]}
    found.append(("alert", "a-1", now - timedelta(minutes=50), (None, None), told))
    for ident, severity, kind, subject, title, detail in (
        ("i-1", "critical", "command_unanswered", "siren-01", "Сирена № 1 не ответила на команду",
         "Три попытки без ответа. Позвоните дежурному и проверьте питание."),
        ("i-2", "minor", "camera", "waste-01", "Контейнерная площадка № 1 переполнена", "Создана задача на вывоз."),
    ):  # fmt: skip
        told = {"incident_id": ident, "status": "open", "severity": severity, "kind": kind, "subject": subject,
                "title": title, "detail": detail}  # fmt: skip
        found.append(("incident", ident, now - timedelta(minutes=12), (None, None), told))
    return found
