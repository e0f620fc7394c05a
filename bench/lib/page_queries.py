"""The ten queries that the pages wait for, on the lake and in PostgreSQL's words.

The lake's text is the pages' own (apps/streamlit/queries.py, and the KPI catalogue's drill); PostgreSQL's says the same
where DuckDB has a shorter word. Parameters are drawn for each run, so that no answer is a repetition.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from apps.streamlit import queries
from city.settings import Settings
from domains.kpi.catalogue import catalogue

ZONE = "Europe/Moscow"
METERS_USE = "water_use_per_flat"

Parameters = Callable[[random.Random], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class PageQuery:
    """page: where it is asked. lake, postgres: the SQL, with ? and %s for the same parameters."""

    name: str
    page: str
    lake: str
    postgres: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are in the lake."""

    city: str
    first: date
    last: date

    def day(self, chance: random.Random, margin: int = 0) -> date:
        length = max(0, (self.last - self.first).days - margin)
        return self.first + timedelta(days=margin + chance.randint(0, length))

    def moments(self, chance: random.Random) -> tuple[datetime, datetime]:
        start = datetime.combine(self.day(chance), datetime.min.time(), tzinfo=UTC) - timedelta(hours=3)
        return start, start + timedelta(days=1)


KPI_RECENT_PG = """
SELECT day, code, value, unit, numerator, denominator, target, better, source
FROM (
    SELECT *, row_number() OVER (PARTITION BY code ORDER BY day DESC) AS newest
    FROM marts.mart_kpi_daily WHERE city = %s AND value IS NOT NULL
) AS ranked
WHERE newest <= %s
ORDER BY code, day
"""
SITES_PG = """
SELECT s.site_id, s.last_event_at, s.last_class, s.last_confidence, s.events_7d, s.open_tasks,
       e.latitude, e.longitude, e.camera_id, e.frame_ref
FROM marts.mart_site AS s
LEFT JOIN LATERAL (
    SELECT latitude, longitude, camera_id, frame_ref FROM marts.mart_camera_event AS c
    WHERE c.site_id = s.site_id ORDER BY event_at DESC LIMIT 1
) AS e ON true
ORDER BY s.site_id
"""
SITE_DAYS_PG = """
SELECT site_id, CAST(timezone(%s, event_at) AS DATE) AS day, class_name, count(*) AS events
FROM marts.mart_camera_event WHERE event_at >= %s
GROUP BY 1, 2, 3 ORDER BY day, site_id
"""
LANDED_PG = """
SELECT %s AS feed, r.segment, count(*) AS rows, min(r.event_at) AS first_at, max(r.event_at) AS last_at,
       max(s.loaded_at) AS loaded_at, max(s.bytes) AS bytes
FROM raw.meter_reading AS r LEFT JOIN ops.segment AS s USING (segment)
WHERE r.event_at >= %s AND r.event_at < %s
GROUP BY r.segment ORDER BY rows DESC, r.segment LIMIT 50
"""
INDEXES = (
    "CREATE INDEX ON marts.mart_kpi_daily (city, code, day DESC) WHERE value IS NOT NULL",
    "CREATE INDEX ON marts.mart_kpi_daily (city, code, day)",
    "CREATE INDEX ON marts.mart_zone_day (day)",
    "CREATE INDEX ON marts.mart_meter_day (day)",
    "CREATE INDEX ON marts.mart_camera_event (event_at)",
    "CREATE INDEX ON marts.mart_camera_event (site_id, event_at)",
    "CREATE INDEX ON raw.meter_reading (event_at)",
    "CREATE INDEX ON raw.meter_reading (meter_id, event_at)",
    "CREATE INDEX ON raw.quarantine (refused_at) WHERE retried_at IS NULL",
    "CREATE INDEX ON ops.segment (segment)",
    "CREATE INDEX ON ops.segment (loaded_at)",
)
TABLES = (
    "marts.mart_kpi_daily", "marts.mart_feed_health", "marts.mart_zone_day", "marts.mart_site",
    "marts.mart_camera_event", "marts.mart_meter_day", "ops.segment", "raw.quarantine", "raw.meter_reading",
)  # fmt: skip


def page_queries(settings: Settings, first: date, last: date) -> list[PageQuery]:
    span = Span(settings.city, first, last)
    codes = [kpi.code for kpi in catalogue().kpis]
    drill = catalogue()[METERS_USE].drill_sql(ZONE).replace("$1", "?")
    narrowed = queries.landed_rows("meter_reading", "meter_id")

    def history(chance: random.Random) -> tuple[Any, ...]:
        return span.city, chance.choice(codes), last - timedelta(days=chance.choice((30, 90, 365))), last

    def zone_days(chance: random.Random) -> tuple[Any, ...]:
        end = span.day(chance, 35)
        return end - timedelta(days=35), end

    def week(_: random.Random) -> tuple[Any, ...]:
        return ZONE, datetime.combine(last, datetime.min.time(), tzinfo=UTC) - timedelta(days=7)

    def landed(chance: random.Random) -> tuple[Any, ...]:
        return "meter_reading", *span.moments(chance)

    def landed_rows(chance: random.Random) -> tuple[Any, ...]:
        return *span.moments(chance), f"meter-{chance.randrange(20):05d}"

    def recent(_: random.Random) -> tuple[Any, ...]:
        return span.city, queries.KPI_DAYS

    def nothing(_: random.Random) -> tuple[Any, ...]:
        return ()

    def day(chance: random.Random) -> tuple[Any, ...]:
        return (span.day(chance),)

    def same(sql: str) -> str:
        return sql.replace("%", "%%").replace("?", "%s")

    return [
        PageQuery("kpi_recent", "home", queries.KPI_RECENT, KPI_RECENT_PG, recent),
        PageQuery("feed_health", "home", queries.FEED_HEALTH, same(queries.FEED_HEALTH), nothing),
        PageQuery("kpi_history", "KPI", queries.KPI_HISTORY, same(queries.KPI_HISTORY), history),
        PageQuery("drill to meters", "KPI", drill, same(drill), day),
        PageQuery("landed segments", "KPI", queries.landed("meter_reading", None), LANDED_PG, landed),
        PageQuery("landed rows of a meter", "KPI", narrowed, same(narrowed), landed_rows),
        PageQuery("zone_days", "water", queries.ZONE_DAYS, same(queries.ZONE_DAYS), zone_days),
        PageQuery("sites", "cleaning", queries.SITES, SITES_PG, nothing),
        PageQuery("site_days", "cleaning", queries.SITE_DAYS, SITE_DAYS_PG, week),
        PageQuery("quarantine", "data", queries.QUARANTINE, same(queries.QUARANTINE), nothing),
    ]
