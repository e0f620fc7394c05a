{{ config(
    materialized='incremental', unique_key=['day', 'sensor_id'], incremental_strategy='delete+insert',
    on_schema_change='fail', partitioned_by=['year(day)', 'month(day)']
) }}

-- one row per border flow sensor and hour of the night (00:00-05:59 on the city's clock): its mean net flow. A reading
-- holds until the next one of its sensor, at most flow_hold_s.

{%- set hold = var('flow_hold_s') %}

with affected as (
    select distinct sensor_id, day
    from (
        select sensor_id, unnest([
            {{ local_day('event_at') }}, {{ local_day('event_at + interval ' ~ hold ~ ' second') }}
        ]) as day
        from {{ ref('stg_scada_reading') }}
        where quantity = 'flow_m3_h' and role in ('inlet', 'outlet') and {{ is_new('scada_reading') }}
    )
),

readings as (
    select
        sensor_id,
        event_at,
        case role when 'inlet' then value else -value end as value,
        zone_id,
        least(
            lead(event_at) over (partition by sensor_id order by event_at, measured_at),
            event_at + interval {{ hold }} second
        ) as until_at
    from {{ ref('stg_scada_reading') }}
    where quantity = 'flow_m3_h'
        and quality <> 'bad'
        and role in ('inlet', 'outlet')
        and {{ in_days_of_news('scada_reading', before_s=hold, after_s=86400 + hold) }}
        {%- if is_incremental() %}
        and sensor_id in (select sensor_id from affected)
        {%- endif %}
),

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
        value,
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
