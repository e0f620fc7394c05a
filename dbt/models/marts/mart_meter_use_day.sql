{{ config(
    materialized='incremental', unique_key='day', incremental_strategy='delete+insert', on_schema_change='fail',
    partitioned_by=['year(day)', 'month(day)']
) }}

-- depends_on: {{ ref('stg_meter_reading') }}

{%- set gap_s = var('estimate_gap_s') %}

with
{% if is_incremental() -%}
{{ meter_span() }}
{%- endif %}

water as (
    select *
    from {{ ref('mart_meter_day') }}
    where medium in ('{{ var("zone_media") | join("', '") }}')
        and {{ in_span('day', before=62, after=1) }}
),

told_days as (
    select distinct day from water
),

habits as (
    select
        *,
        lead(day) over (partition by meter_key order by day) as next_day,
        sum(used_m3) over past as past_m3,
        sum(case when used_m3 is not null then covered_share end) over past as past_days
    from water
    window past as (partition by meter_key order by day range between interval 27 days preceding and current row)
),

days as (
    -- of a day with an interval: what it tells, and its uncovered part by the meter's habit
    select
        day, meter_key, medium, "scope", zone_id, house_id,
        case when max_gap_s <= {{ gap_s }} then used_m3 end as measured_m3,
        case when max_gap_s > {{ gap_s }} then used_m3 end as spread_m3,
        case when covered_share < 1 then (1 - covered_share) * past_m3 / nullif(past_days, 0) end as habit_m3
    from habits
    union all
    -- of a silent day on which others told: all by its habit, for 29 days
    select
        told_days.day, meter_key, medium, "scope", zone_id, house_id,
        null, null, past_m3 / nullif(past_days, 0)
    from habits
    inner join told_days
        on told_days.day > habits.day and told_days.day < habits.day + 30
        and told_days.day < coalesce(habits.next_day, habits.day + 30)
    where habits.next_day is distinct from habits.day + 1
),

houses as (
    select distinct house_id, medium, day
    from days
    where "scope" = 'house' and coalesce(measured_m3, spread_m3, habit_m3) is not null
)

select
    days.day,
    days.meter_key,
    days.medium,
    days."scope",
    days.zone_id,
    days.house_id,
    days.measured_m3,
    case when days.spread_m3 is not null or days.habit_m3 is not null
        then coalesce(days.spread_m3, 0.0) + coalesce(days.habit_m3, 0.0) end as estimated_m3,
    case
        when days.measured_m3 is null and days.spread_m3 is null then 'own_mean'
        when days.spread_m3 is not null then 'spread'
        when days.habit_m3 is not null then 'part_of_day'
        else 'measured'
    end as "rule",
    days."scope" = 'flat' and houses.house_id is not null as is_inside_house_meter
from days
left join houses
    on houses.house_id = days.house_id and houses.medium = days.medium and houses.day = days.day
where coalesce(days.measured_m3, days.spread_m3, days.habit_m3) is not null
    and {{ in_span('days.day') }}
