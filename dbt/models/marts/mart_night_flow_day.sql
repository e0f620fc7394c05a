with hours as (
    select
        night.zone_id,
        night.day,
        night.hour,
        count(*) as sensors,
        sum(night.flow_m3_h) as flow_m3_h,
        min(night.covered_s) / 3600 as covered_share
    from {{ ref('int_night_hour') }} as night
    cross join {{ ref('int_water_norm') }} as norm
    where night.zone_id is not null and night.hour >= norm.night_from_h and night.hour < norm.night_until_h
    group by night.zone_id, night.day, night.hour
),

expected as (
    select days.zone_id, days.day, count(distinct flow.sensor_id) as sensors
    from (select distinct zone_id, day from hours) as days
    inner join {{ ref('int_flow_day') }} as flow
        on flow.zone_id = days.zone_id and flow.day between days.day - 29 and days.day
    group by days.zone_id, days.day
),

-- an hour counts when every border sensor measured it
night as (
    select
        hours.zone_id,
        hours.day,
        min(hours.flow_m3_h) as night_min_m3_h,
        arg_min(hours.hour, (round(hours.flow_m3_h, 6), hours.hour)) as night_hour,  -- of equal hours the first
        count(*) as hours_measured
    from hours
    inner join expected on expected.zone_id = hours.zone_id and expected.day = hours.day
    where hours.sensors = expected.sensors and hours.covered_share >= {{ var('zone_covered_share') }}
    group by hours.zone_id, hours.day
),

banded as (
    select
        night.*,
        median(night_min_m3_h) over past as usual_m3_h,
        mad(night_min_m3_h) over past as spread_m3_h,
        count(*) over past as past_nights
    from night
    window past as (
        partition by zone_id order by day range between interval 28 days preceding and interval 1 day preceding
    )
),

legitimate as (
    select
        banded.*,
        norm.night_day_factor_h,
        norm.tariff_rub_m3,
        coalesce(zone.residents, 0) * norm.night_use_l_person_h / 1000 + coalesce(zone.night_exception_m3_h, 0.0)
            as legitimate_m3_h
    from banded
    cross join {{ ref('int_water_norm') }} as norm
    left join {{ ref('int_water_zone') }} as zone using (zone_id)
)

select
    day,
    zone_id,
    night_min_m3_h,
    cast(night_hour as bigint) as night_hour,
    cast(hours_measured as bigint) as hours_measured,
    legitimate_m3_h,
    greatest(night_min_m3_h - legitimate_m3_h, 0.0) as night_loss_m3_h,
    greatest(night_min_m3_h - legitimate_m3_h, 0.0) * night_day_factor_h as night_loss_m3_day,
    greatest(night_min_m3_h - legitimate_m3_h, 0.0) * night_day_factor_h * tariff_rub_m3 as night_loss_rub_day,
    case when past_nights >= 7 then usual_m3_h end as usual_m3_h,
    -- 1.4826 · MAD estimates a standard deviation; three of them, and at least a tenth of what is usual
    case when past_nights >= 7 then usual_m3_h - greatest(3 * 1.4826 * spread_m3_h, 0.1 * usual_m3_h) end as band_low_m3_h,
    case when past_nights >= 7 then usual_m3_h + greatest(3 * 1.4826 * spread_m3_h, 0.1 * usual_m3_h) end as band_high_m3_h,
    case when past_nights >= 7
        then night_min_m3_h > usual_m3_h + greatest(3 * 1.4826 * spread_m3_h, 0.1 * usual_m3_h) end as is_high
from legitimate
