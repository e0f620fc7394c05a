"""The SQL behind the pages. Aggregates only: no query returns more rows than a page can show.

Names are what `bench` and the docs call them. Parameters are positional (`?`).
"""

from __future__ import annotations

KPI_DAYS = 90

# one row per KPI and day that has a value: the newest days of each KPI, whenever they were
KPI_RECENT = """
SELECT day, code, value, unit, numerator, denominator, target, better, source
FROM marts.mart_kpi_daily
WHERE city = ? AND value IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY code ORDER BY day DESC) <= ?
ORDER BY code, day
"""

# one row per day of one KPI
KPI_HISTORY = """
SELECT day, value, unit, numerator, denominator, target, better, source
FROM marts.mart_kpi_daily
WHERE city = ? AND code = ? AND day BETWEEN ? AND ?
ORDER BY day
"""

KPI_SPAN = (
    "SELECT min(day) AS first_day, max(day) AS last_day FROM marts.mart_kpi_daily WHERE city = ? AND code = ? "
    "AND value IS NOT NULL"
)

# one row per feed
FEED_HEALTH = """
SELECT feed, rows_total, rows_24h, last_event_at, last_received_at, quarantined_total, quarantined_24h,
       duplicates_total, conflicts_total, clock_marked_24h, gap_messages_24h, failures_24h
FROM marts.mart_feed_health ORDER BY feed
"""

ZONE_SPAN = "SELECT min(day) AS first_day, max(day) AS last_day FROM marts.mart_zone_day"

# one row per zone and day
ZONE_DAYS = """
SELECT day, zone_id, inflow_m3, metered_m3, loss_m3, loss_share, night_flow_m3_h, covered_share,
       metered_covered_share
FROM marts.mart_zone_day
WHERE day BETWEEN ? AND ?
ORDER BY day, zone_id
"""

# one row per site
SITES = """
SELECT s.site_id, s.last_event_at, s.last_class, s.last_confidence, s.events_7d, s.open_tasks,
       e.latitude, e.longitude, e.camera_id, e.frame_ref
FROM marts.mart_site AS s
LEFT JOIN (
    SELECT site_id, arg_max(latitude, event_at) AS latitude, arg_max(longitude, event_at) AS longitude,
           arg_max(camera_id, event_at) AS camera_id, arg_max(frame_ref, event_at) AS frame_ref
    FROM marts.mart_camera_event GROUP BY site_id
) AS e USING (site_id)
ORDER BY s.site_id
"""

# one row per site and day of the last week
SITE_DAYS = """
SELECT site_id, CAST(timezone(?, event_at) AS DATE) AS day, class_name, count(*) AS events
FROM marts.mart_camera_event
WHERE event_at >= ?
GROUP BY ALL ORDER BY day, site_id
"""

# one row per table of the lake
TABLES = """
SELECT s.schema_name, t.table_name, i.file_count, i.file_size_bytes, i.delete_file_count
FROM ducklake_table_info('lake') AS i
JOIN __ducklake_metadata_lake.ducklake_table AS t ON t.table_id = i.table_id AND t.end_snapshot IS NULL
JOIN __ducklake_metadata_lake.ducklake_schema AS s ON s.schema_id = t.schema_id
ORDER BY i.file_size_bytes DESC, s.schema_name, t.table_name
"""

SNAPSHOTS = """
SELECT snapshot_id, snapshot_time, CAST(changes AS VARCHAR) AS changes
FROM ducklake_snapshots('lake') ORDER BY snapshot_id DESC LIMIT 50
"""

SNAPSHOT_COUNT = "SELECT count(*) AS snapshots FROM ducklake_snapshots('lake')"

# one row per landed segment, newest first
LOADS = """
SELECT segment, feed, rows, duplicates, conflicts, bytes, min_event_at, max_event_at, loaded_at
FROM ops.segment ORDER BY loaded_at DESC LIMIT 100
"""

LOAD_TOTALS = """
SELECT count(*) AS segments, coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes,
       max(loaded_at) AS loaded_at
FROM ops.segment
"""

# one row per refused message, newest first
QUARANTINE = """
SELECT quarantine_id, feed, topic, refused_at, reason, field, value, octet_length(payload) AS payload_bytes
FROM raw.quarantine WHERE retried_at IS NULL
ORDER BY refused_at DESC LIMIT 200
"""

QUARANTINE_REASONS = """
SELECT feed, coalesce(field, '') AS field, count(*) AS messages, max(refused_at) AS last_at
FROM raw.quarantine WHERE retried_at IS NULL
GROUP BY ALL ORDER BY messages DESC LIMIT 20
"""

QUARANTINE_PAYLOAD = "SELECT payload FROM raw.quarantine WHERE quarantine_id = ? LIMIT 1"

# one row per fetch, flush, seal or load that failed, newest first
FAILURES = """
SELECT stage, subject, started_at, seconds, reason, process
FROM raw.ingest_outcome WHERE NOT success
ORDER BY started_at DESC LIMIT 100
"""


def landed(feed: str, column: str | None) -> str:
    """Raw rows of a feed between two moments, counted by the segment that brought them.

    `column` narrows them to one entity. Both names come from the contracts, never from a reader.
    """
    narrowed = f'AND r."{column}" = ?' if column else ""
    return f"""
SELECT ? AS feed, r.segment, count(*) AS rows, min(r.event_at) AS first_at, max(r.event_at) AS last_at,
       any_value(s.loaded_at) AS loaded_at, any_value(s.bytes) AS bytes
FROM raw."{feed}" AS r LEFT JOIN ops.segment AS s USING (segment)
WHERE r.event_at >= ? AND r.event_at < ? {narrowed}
GROUP BY r.segment ORDER BY rows DESC, r.segment LIMIT 50
"""  # noqa: S608


def landed_rows(feed: str, column: str | None) -> str:
    """The first of those raw rows: when, and where in which segment. No field of the message: some are personal."""
    narrowed = f'AND "{column}" = ?' if column else ""
    return f"""
SELECT event_at, received_at, clock_status, segment, segment_row
FROM raw."{feed}" WHERE event_at >= ? AND event_at < ? {narrowed}
ORDER BY event_at LIMIT 100
"""  # noqa: S608


QUARANTINE_COUNT = "SELECT count(*) AS messages FROM raw.quarantine WHERE retried_at IS NULL"
FAILURE_COUNT = "SELECT count(*) AS failures FROM raw.ingest_outcome WHERE NOT success"

# one row per crossing and hour since a day
CROSSING_HOURS = """
SELECT site_id, hour, day, people, lightings, used, lit_before_step, false_lightings, lamp_failures
FROM marts.mart_crossing_hour WHERE day >= ?
ORDER BY hour, site_id
"""
