{{ config(
    materialized='incremental', unique_key=['day', 'meter_key'], incremental_strategy='delete+insert',
    on_schema_change='fail', partitioned_by=['year(day)', 'month(day)']
) }}

-- depends_on: {{ ref('stg_meter_reading') }}

{%- set gap = var('reading_gap_days') %}

with
{% if is_incremental() %}
-- the meters with news, and the days on which their news fell
affected as (
    select
        {{ pseudonym('meter_id') }} as meter_key,
        min(day) as first_day,
        max(day) as last_day
    from (
        select distinct meter_id, {{ local_day('event_at') }} as day
        from {{ ref('stg_meter_reading') }}
        where {{ is_new('meter_reading') }}
    )
    group by meter_id
),
{% endif %}
{#- one step farther than a gap may be wide, on both sides: the neighbours of the neighbours -#}
edges as (
    select days.*
    from {{ ref('int_meter_day') }} as days
    {% if is_incremental() -%}
    inner join affected
        on affected.meter_key = days.meter_key
        and days.day between affected.first_day - {{ 2 * gap + 2 }} and affected.last_day + {{ 2 * gap + 2 }}
    where days.day between (select min(first_day) from affected) - {{ 2 * gap + 2 }}
        and (select max(last_day) from affected) + {{ 2 * gap + 2 }}
    {%- endif %}
),

{% if is_incremental() -%}
-- news change their own days, and through the steps over midnight the days up to the neighbouring readings
rebuilt as (
    select
        affected.meter_key,
        coalesce(max(edges.day) filter (edges.day < affected.first_day), affected.first_day) as first_day,
        coalesce(min(edges.day) filter (edges.day > affected.last_day), affected.last_day) as last_day
    from affected
    inner join edges using (meter_key)
    where edges.day between affected.first_day - {{ gap + 1 }} and affected.last_day + {{ gap + 1 }}
    group by affected.meter_key, affected.first_day, affected.last_day
),
{%- endif %}

joined as (
    select
        *,
        lag(day) over course as before_day,
        lag(last_at) over course as before_at,
        first_counter - lag(last_counter) over course as step
    from edges
    window course as (partition by meter_key order by day)
),

-- the step from one day's last reading to the first of a later day; over a longer gap nothing is attributed
crossings as (
    select
        *,
        {{ seconds_between('before_at', 'first_at') }} as step_s
    from joined
    where before_at is not null
),

split as (
    select
        meter_key,
        cast(unnest(generate_series(before_day, day, interval 1 day)) as date) as day,
        day as last_day,
        before_at,
        first_at,
        step,
        step_s,
        medium, "scope", zone_id, house_id
    from crossings
    where step_s <= {{ gap }} * 86400 and step >= 0
),

-- proportional to the time that the step spends in each day
shares as (
    select
        meter_key,
        day,
        {{ seconds_between(
            'greatest(before_at, ' ~ day_start('day') ~ ')', 'least(first_at, ' ~ day_end('day') ~ ')'
        ) }} as share_s,
        step,
        step_s,
        medium, "scope", zone_id, house_id, last_day
    from split
),

parts as (
    select
        meter_key, day, readings,
        used_within as used, covered_within_s as covered_s, steps_back_within as steps_back, max_gap_within_s as max_gap_s,
        medium, "scope", zone_id, house_id, day as told_on
    from edges
    union all
    select
        meter_key, day, 0,
        case when step_s > 0 then step * share_s / step_s else step end, share_s, 0, step_s,
        medium, "scope", zone_id, house_id, last_day
    from shares
    union all
    -- a counter that ran backwards over midnight is counted on the day that shows it
    select meter_key, day, 0, 0.0, 0.0, 1, step_s, medium, "scope", zone_id, house_id, day
    from crossings
    where step_s <= {{ gap }} * 86400 and step < 0
),

meter_day as (
    select
        meter_key,
        day,
        -- a day between readings takes what the next reading tells
        arg_min(medium, told_on) as medium,
        arg_min("scope", told_on) as "scope",
        arg_min(zone_id, told_on) as zone_id,
        arg_min(house_id, told_on) as house_id,
        sum(readings) as readings,
        sum(used) as used,
        sum(covered_s) as covered_s,
        sum(steps_back) as steps_back,
        max(max_gap_s) as max_gap_s
    from parts
    group by meter_key, day
)

select
    meter_day.day,
    meter_day.meter_key,
    meter_day.medium,
    meter_day."scope",
    meter_day.zone_id,
    meter_day.house_id,
    cast(meter_day.readings as bigint) as readings,
    case when covered_s > 0 and medium in ('cold_water', 'hot_water') then used end as used_m3,
    case when covered_s > 0 and medium in ('heat', 'electricity') then used end as used_kwh,
    max_gap_s,
    cast(steps_back as bigint) as steps_back,
    least(1.0, covered_s / ({{ seconds_between(day_start('meter_day.day'), day_end('meter_day.day')) }})) as covered_share
from meter_day
{% if is_incremental() -%}
inner join rebuilt
    on rebuilt.meter_key = meter_day.meter_key
    and meter_day.day between rebuilt.first_day and rebuilt.last_day
{%- endif %}
