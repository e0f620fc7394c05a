{% set enough = var('zone_covered_share') -%}

with sensor_day as (
    select
        zone_id,
        day,
        sensor_id,
        sum(case role when 'inlet' then volume_m3 else -volume_m3 end) as net_m3,
        sum(case role when 'inlet' then night_volume_m3 else -night_volume_m3 end) as night_net_m3,
        sum(covered_s) / ({{ seconds_between(day_start('day'), day_end('day')) }}) as covered_share,
        sum(night_covered_s) / 7200 as night_covered_share
    from {{ ref('int_flow_day') }}
    where zone_id is not null
    group by zone_id, day, sensor_id
),

metered as (
    select * from {{ ref('int_metered_zone_day') }}
    where zone_id is not null
),

zone_days as (
    select zone_id, day from sensor_day
    union
    select zone_id, day from metered
),

-- the sensors that should have told: those of the last 30 days
expected as (
    select zone_days.zone_id, zone_days.day, count(distinct sensor_day.sensor_id) as sensors
    from zone_days
    inner join sensor_day
        on sensor_day.zone_id = zone_days.zone_id
        and sensor_day.day between zone_days.day - 29 and zone_days.day
    group by zone_days.zone_id, zone_days.day
),

flow as (
    select
        zone_id,
        day,
        count(*) as sensors,
        sum(net_m3) as inflow_m3,
        min(least(1.0, covered_share)) as covered_share,
        min(least(1.0, night_covered_share)) as night_covered_share,
        -- m3 over the covered hours of each sensor, added up
        sum(night_net_m3 / nullif(2 * night_covered_share, 0)) as night_flow_m3_h
    from sensor_day
    group by zone_id, day
),

joined as (
    select
        zone_days.zone_id,
        zone_days.day,
        flow.inflow_m3,
        metered.metered_m3,
        -- one border unmeasured, and the balance is not known
        case when expected.sensors is null then null when flow.sensors = expected.sensors then flow.covered_share else 0.0 end
            as covered_share,
        case when expected.sensors is null then null when flow.sensors = expected.sensors then flow.night_covered_share else 0.0 end
            as night_covered_share,
        flow.night_flow_m3_h,
        -- least() of a null is not null
        case when metered.meters_counted > 0 then least(1.0, metered.covered_meters / metered.meters_counted) end
            as metered_covered_share,
        metered.meters_known
    from zone_days
    left join expected using (zone_id, day)
    left join flow using (zone_id, day)
    left join metered using (zone_id, day)
),

balanced as (
    select
        *,
        case when covered_share >= {{ enough }} and metered_covered_share >= {{ enough }}
            then inflow_m3 - metered_m3 end as loss_m3
    from joined
)

select
    day,
    zone_id,
    inflow_m3,
    metered_m3,
    loss_m3,
    case when inflow_m3 > 0 then loss_m3 / inflow_m3 end as loss_share,
    case when night_covered_share >= {{ enough }} then night_flow_m3_h end as night_flow_m3_h,
    covered_share,
    night_covered_share,
    metered_covered_share,
    meters_known
from balanced
