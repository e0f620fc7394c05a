{{ config(
    materialized='incremental', unique_key=['day', 'sensor_id'], incremental_strategy='delete+insert',
    on_schema_change='fail', partitioned_by=['year(day)', 'month(day)']
) }}

-- one row per flow sensor at a zone's border, zone, role and local day. A reading holds until the next one of its
-- sensor, at most flow_hold_s; what it holds over midnight goes to the next day.

with {{ border_flow(var('flow_hold_s')) }},

held as (
    select
        *,
        unnest(list_distinct([
            {{ local_day('event_at') }}, {{ local_day('until_at - interval 1 microsecond') }}
        ])) as day
    from readings
    where until_at > event_at
),

parts as (
    select
        *,
        {{ local_day('event_at') }} = day as is_read,
        {{ overlap_s('event_at', 'until_at', day_start('day'), day_end('day')) }} as held_s,
        {{ overlap_s('event_at', 'until_at', moment_of_day('day', 2), moment_of_day('day', 4)) }} as night_held_s
    from held
)

select
    day,
    sensor_id,
    zone_id,
    role,
    count(*) filter (is_read) as readings,
    sum(held_s) as covered_s,
    sum(value * held_s) / 3600 as volume_m3,
    sum(night_held_s) as night_covered_s,
    sum(value * night_held_s) / 3600 as night_volume_m3
from parts
{% if is_incremental() -%}
semi join affected using (sensor_id, day)
{% endif -%}
group by day, sensor_id, zone_id, role
