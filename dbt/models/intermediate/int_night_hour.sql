{{ config(
    materialized='incremental', unique_key=['day', 'sensor_id'], incremental_strategy='delete+insert',
    on_schema_change='fail', partitioned_by=['year(day)', 'month(day)']
) }}

-- one row per border flow sensor and hour of the night (00:00-05:59 on the city's clock): its mean net flow. A reading
-- holds until the next one of its sensor, at most flow_hold_s.

with {{ border_flow(var('flow_hold_s')) }},

held as (
    select
        *,
        unnest(generate_series(
            date_trunc('hour', {{ local_clock('event_at') }}),
            date_trunc('hour', {{ local_clock('until_at - interval 1 microsecond') }}),
            interval 1 hour
        )) as clock
    from readings
    where until_at > event_at
),

parts as (
    select
        sensor_id,
        zone_id,
        cast(clock as date) as day,
        hour(clock) as hour,
        case role when 'inlet' then value else -value end as value,
        {{ overlap_s(
            'event_at', 'until_at', "timezone('" ~ var('tz') ~ "', clock)",
            "timezone('" ~ var('tz') ~ "', clock + interval 1 hour)"
        ) }} as held_s
    from held
    where hour(clock) < 6
)

select
    day,
    sensor_id,
    zone_id,
    hour,
    sum(held_s) as covered_s,
    sum(value * held_s) / nullif(sum(held_s), 0) as flow_m3_h
from parts
{% if is_incremental() -%}
semi join affected using (sensor_id, day)
{% endif -%}
group by day, sensor_id, zone_id, hour
