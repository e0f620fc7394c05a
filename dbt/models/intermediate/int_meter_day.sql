{{ config(
    materialized='incremental', unique_key=['day', 'meter_key'], incremental_strategy='delete+insert',
    on_schema_change='fail', partitioned_by=['year(day)', 'month(day)']
) }}

-- one row per meter and local day with a reading: what can be told from the readings of that day alone.
-- mart_meter_day joins the days: the step from a day's last reading to the next day's first one is split there.

with affected as (
    select distinct meter_id, {{ local_day('event_at') }} as day
    from {{ ref('stg_meter_reading') }}
    where {{ is_new('meter_reading') }}
),

readings as (
    select
        meter_id,
        {{ local_day('event_at') }} as day,
        event_at,
        read_at,
        medium,
        "scope",
        zone_id,
        house_id,
        coalesce(volume_m3, energy_kwh) as counter
    from {{ ref('stg_meter_reading') }}
    where {{ in_days_of_news('meter_reading') }}
),

chosen as (
    {% if is_incremental() -%}
    select readings.* from readings semi join affected using (meter_id, day)
    {%- else -%}
    select * from readings
    {%- endif %}
),

steps as (
    select
        *,
        counter - lag(counter) over course as step,
        {{ seconds_between('lag(event_at) over course', 'event_at') }} as step_s
    from chosen
    window course as (partition by meter_id, day order by event_at, read_at)
),

meter_day as (
    select
        meter_id,
        day,
        arg_max(medium, (event_at, read_at)) as medium,
        arg_max("scope", (event_at, read_at)) as "scope",
        arg_max(zone_id, (event_at, read_at)) as zone_id,
        arg_max(house_id, (event_at, read_at)) as house_id,
        count(*) as readings,
        min(event_at) as first_at,
        arg_min(counter, (event_at, read_at)) as first_counter,
        max(event_at) as last_at,
        arg_max(counter, (event_at, read_at)) as last_counter,
        -- a counter that runs backwards was replaced or rolled over: told, never summed
        coalesce(sum(step) filter (step >= 0), 0.0) as used_within,
        coalesce(sum(step_s) filter (step >= 0), 0.0) as covered_within_s,
        count(*) filter (step < 0) as steps_back_within,
        max(step_s) as max_gap_within_s
    from steps
    group by meter_id, day
)

select
    day,
    {{ pseudonym('meter_id') }} as meter_key,
    * exclude (day, meter_id)
from meter_day
