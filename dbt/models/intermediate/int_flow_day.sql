{{ config(
    materialized='incremental', unique_key=['day', 'sensor_id'], incremental_strategy='delete+insert',
    on_schema_change='fail', partitioned_by=['year(day)', 'month(day)']
) }}

-- one row per flow sensor at a zone's border, zone, role and local day. A reading holds until the next one of its
-- sensor, at most flow_hold_s; what it holds over midnight goes to the next day.

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
        value,
        role,
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
