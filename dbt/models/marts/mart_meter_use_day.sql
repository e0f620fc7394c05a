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

-- few rows need a habit: those of a day that is not covered, and the last ones before a silence. A window over all
-- rows would cost ten times as much.
before_silence as (
    select ends.meter_key, ends.day, min(later.day) as next_day
    from (
        select water.meter_key, water.day
        from water
        anti join water as following
            on following.meter_key = water.meter_key and following.day = water.day + 1
        where water.day < (select max(day) from told_days)
    ) as ends
    left join water as later on later.meter_key = ends.meter_key and later.day > ends.day
    group by ends.meter_key, ends.day
),

needing as (
    select meter_key, day from before_silence
    union
    select meter_key, day from water where covered_share < 1
),

habits as (
    select
        needing.meter_key,
        needing.day,
        sum(past.used_m3) / nullif(sum(case when past.used_m3 is not null then past.covered_share end), 0) as mean_m3
    from needing
    inner join water as past
        on past.meter_key = needing.meter_key and past.day between needing.day - 27 and needing.day
    group by needing.meter_key, needing.day
),

days as (
    -- of a day with an interval: what it tells, and its uncovered part by the meter's habit
    select
        water.day, water.meter_key, water.medium, water."scope", water.zone_id, water.house_id,
        case when water.max_gap_s <= {{ gap_s }} then water.used_m3 end as measured_m3,
        case when water.max_gap_s > {{ gap_s }} then water.used_m3 end as spread_m3,
        case when water.covered_share < 1 then (1 - water.covered_share) * habits.mean_m3 end as habit_m3
    from water
    left join habits on habits.meter_key = water.meter_key and habits.day = water.day
    union all
    -- of a silent day on which others told: all by its habit, for 29 days
    select
        told_days.day, water.meter_key, water.medium, water."scope", water.zone_id, water.house_id,
        null, null, habits.mean_m3
    from before_silence
    inner join water on water.meter_key = before_silence.meter_key and water.day = before_silence.day
    inner join habits on habits.meter_key = water.meter_key and habits.day = water.day
    inner join told_days
        on told_days.day > water.day and told_days.day < water.day + 30
        and told_days.day < coalesce(before_silence.next_day, water.day + 30)
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
