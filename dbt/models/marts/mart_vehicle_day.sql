{{ config(
    materialized='incremental',
    unique_key=['day', 'vehicle_id'],
    incremental_strategy='delete+insert',
    on_schema_change='fail',
    partitioned_by=['year(day)', 'month(day)'],
) }}

with affected as (
    select distinct
        vehicle_id,
        {{ local_day('event_at') }} as day
    from {{ ref('stg_vehicle_position') }}
    where {{ is_new('vehicle_position') }}
),

positions as (
    select
        vehicle_id,
        {{ local_day('event_at') }} as day,
        event_at,
        fix_at,
        route_id,
        latitude,
        longitude
    from {{ ref('stg_vehicle_position') }}
    where {{ in_days_of_news('vehicle_position') }}
),

fixes as (
    {% if is_incremental() -%}
    select positions.* from positions semi join affected using (vehicle_id, day)
    {%- else -%}
    select * from positions
    {%- endif %}
),

-- a step is what lies between two consecutive fixes of one vehicle within one local day
located as (
    select
        *,
        lag(event_at) over course as last_event_at,
        {{ haversine_m('lag(latitude) over course', 'lag(longitude) over course', 'latitude', 'longitude') }} as step_m
    from fixes
    window course as (partition by vehicle_id, day order by event_at, fix_at)
),

steps as (
    select
        *,
        {{ seconds_between('last_event_at', 'event_at') }} as step_s,
        -- the same moment twice has no speed
        step_m / nullif({{ seconds_between('last_event_at', 'event_at') }}, 0) as step_m_s
    from located
),

judged as (
    select
        *,
        step_s <= {{ var('step_max_s') }} and step_m_s <= {{ var('jump_m_s') }} as is_driven,
        step_s <= {{ var('step_max_s') }} and step_m_s > {{ var('jump_m_s') }} as is_jump
    from steps
),

route_share as (
    select vehicle_id, day, route_id, count(*) as route_fixes
    from fixes
    where route_id is not null
    group by vehicle_id, day, route_id
),

main_route as (
    select vehicle_id, day, route_id, count(*) over (partition by vehicle_id, day) as routes
    from route_share
    qualify row_number() over (partition by vehicle_id, day order by route_fixes desc, route_id) = 1
),

vehicle_day as (
    select
        vehicle_id,
        day,
        count(*) as fixes,
        min(event_at) as first_at,
        max(event_at) as last_at,
        coalesce(sum(step_m) filter (is_driven), 0.0) as distance_m,
        coalesce(sum(step_s) filter (is_driven and step_m_s >= {{ var('moving_m_s') }}), 0.0) as moving_s,
        median(step_s) as median_interval_s,
        max(step_s) as max_gap_s,
        count(step_s) as intervals,
        count(*) filter (step_s <= {{ var('fix_norm_s') }}) as intervals_in_norm,
        count(*) filter (is_jump) as jumps
    from judged
    group by vehicle_id, day
)

select
    vehicle_day.day,
    vehicle_day.vehicle_id,
    main_route.route_id,
    coalesce(main_route.routes, 0) as routes,
    vehicle_day.fixes,
    vehicle_day.first_at,
    vehicle_day.last_at,
    vehicle_day.distance_m,
    vehicle_day.moving_s,
    vehicle_day.median_interval_s,
    vehicle_day.max_gap_s,
    vehicle_day.intervals,
    vehicle_day.intervals_in_norm,
    vehicle_day.jumps
from vehicle_day
left join main_route using (vehicle_id, day)
