{{ config(
    materialized='incremental', unique_key='day', incremental_strategy='delete+insert', on_schema_change='fail'
) }}

-- depends_on: {{ ref('stg_meter_reading') }}

-- one row per zone (null: meters of no zone) and local day: what its water meters tell.
-- Rebuilt for the days that news can reach: a late reading changes the days up to its neighbours, at most
-- reading_gap_days away, and a meter is known for 30 days.

{%- set reach = var('reading_gap_days') + 32 %}
{%- set first = "(select min(day) from affected) - " ~ reach %}
{%- set last = "(select max(day) from affected) + " ~ reach %}

with
{% if is_incremental() -%}
affected as (
    select distinct {{ local_day('event_at') }} as day
    from {{ ref('stg_meter_reading') }}
    where {{ is_new('meter_reading') }}
),
{%- endif %}

water as (
    select *
    from {{ ref('mart_meter_day') }}
    where medium in ('{{ var("zone_media") | join("', '") }}')
        {%- if is_incremental() %}
        and day between {{ first }} - 31 and {{ last }} + 31
        {%- endif %}
),

-- a house's common meter also counts what its flats' meters count: where it tells the day, they are left out
judged as (
    select
        *,
        "scope" = 'flat' and house_id is not null
            and bool_or("scope" = 'house' and used_m3 is not null) over (partition by house_id, medium, day)
            as is_inside_house_meter
    from water
),

measured as (
    select
        zone_id,
        day,
        sum(used_m3) filter (not is_inside_house_meter) as metered_m3,
        sum(covered_share) filter (not is_inside_house_meter) as covered_meters,
        count(*) filter (readings > 0) as meters_read,
        sum(used_m3) filter ("scope" = 'flat' and used_m3 is not null and covered_share >= 0.9) as flats_used_m3,
        count(*) filter ("scope" = 'flat' and used_m3 is not null and covered_share >= 0.9) as flats_measured
    from judged
    group by zone_id, day
),

-- a meter is known for 30 days from each day with a reading: +1 when it comes, -1 when it lapses
spells as (
    select
        zone_id, day, is_inside_house_meter,
        least(coalesce(lead(day) over (partition by meter_key order by day), day + 30), day + 30) as lapses_on
    from judged
    where readings > 0
),

changes as (
    select zone_id, day, is_inside_house_meter, 1 as change, false as is_told from spells
    union all
    select zone_id, lapses_on, is_inside_house_meter, -1, false from spells
    union all
    -- every zone is told on every day on which any meter is told, so that a silent zone shows
    select zones.zone_id, days.day, true, 0, true
    from (select distinct zone_id from judged) as zones, (select distinct day from judged) as days
),

known as (
    select
        zone_id, day, is_told,
        sum(change) over course as meters_known,
        sum(case when is_inside_house_meter then 0 else change end) over course as meters_counted
    from changes
    window course as (partition by zone_id order by day)
)

select
    known.zone_id,
    known.day,
    measured.metered_m3,
    coalesce(measured.covered_meters, 0.0) as covered_meters,
    coalesce(measured.meters_read, 0) as meters_read,
    cast(known.meters_known as bigint) as meters_known,
    cast(known.meters_counted as bigint) as meters_counted,
    coalesce(measured.flats_used_m3, 0.0) as flats_used_m3,
    coalesce(measured.flats_measured, 0) as flats_measured
from known
left join measured on measured.zone_id is not distinct from known.zone_id and measured.day = known.day
where known.is_told
    and (known.meters_known > 0 or measured.day is not null)
    {%- if is_incremental() %}
    and known.day between {{ first }} and {{ last }}
    {%- endif %}
