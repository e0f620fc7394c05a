"""The SQL behind the water-loss page. Parameters are positional; zone lists are narrowed in polars, they are small."""

from __future__ import annotations

BALANCE_DAYS = """
SELECT day, zone_id, system_input_m3, billed_metered_m3, billed_unmetered_m3, unbilled_m3, authorised_m3,
       unauthorised_m3, under_registered_m3, apparent_m3, real_m3, real_low_m3, real_high_m3, losses_m3, losses_low_m3,
       losses_high_m3, nrw_m3, losses_rub, estimated_m3, ili
FROM marts.mart_water_balance_day WHERE day BETWEEN ? AND ? ORDER BY day, zone_id
"""

NIGHTS = """
SELECT day, zone_id, night_min_m3_h, legitimate_m3_h, night_loss_rub_day, usual_m3_h, band_low_m3_h,
       band_high_m3_h, is_high
FROM marts.mart_night_flow_day WHERE day BETWEEN ? AND ? ORDER BY day, zone_id
"""

FINDINGS = """
SELECT finding_id, "status", zone_id, pipe, first_seen_at, likely_start_at, ended_at, flow_m3_h, flow_low_m3_h,
       flow_high_m3_h, cost_day, confidence, alternatives, latitude, longitude, lost_m3
FROM marts.mart_leak_finding ORDER BY first_seen_at DESC LIMIT 500
"""

ORDERS = """
SELECT order_id, stage, kind, finding_id, contractor, zone_id, place, ordered_at, deadline_at, done_at, is_in_time,
       cost_rub, saved_m3_h
FROM marts.mart_work_order ORDER BY ordered_at DESC LIMIT 500
"""

HOUSES = """
SELECT day, house_id, medium, zone_id, house_m3, flats_m3, excess_m3, excess_pm_m3
FROM marts.mart_house_balance_day
WHERE day > (SELECT max(day) FROM marts.mart_house_balance_day) - 30
"""

FLAGS = """
SELECT meter_key, kind, is_open, reason_ru, reason_en, house_id, zone_id, raised_at
FROM marts.mart_meter_flag WHERE is_open ORDER BY raised_at DESC LIMIT 5000
"""

VISITS = """
SELECT house_id, result, max(visited_at) AS visited_at, count(*) AS visits
FROM marts.mart_meter_visit GROUP BY ALL ORDER BY visited_at DESC LIMIT 500
"""
