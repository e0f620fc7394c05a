-- one row per day and KPI of water: numerator and denominator as domains/kpi/catalogue.yaml words them

with metered as (
    select
        day,
        sum(flats_used_m3) as flats_used_m3,
        sum(flats_measured) as flats_measured,
        sum(meters_read) as meters_read,
        sum(meters_known) as meters_known
    from {{ ref('int_metered_zone_day') }}
    group by day
),

zones as (
    select
        day,
        coalesce(sum(loss_m3), 0.0) as loss_m3,
        coalesce(sum(inflow_m3) filter (loss_m3 is not null), 0.0) as inflow_m3,
        coalesce(sum(night_flow_m3_h), 0.0) as night_flow_m3_h,
        count(night_flow_m3_h) as zones_with_night
    from {{ ref('mart_zone_day') }}
    group by day
)

select day, 'water_use_per_flat' as code, flats_used_m3 as numerator, flats_measured as denominator from metered
union all
select day, 'water_meters_read', meters_read, meters_known from metered
union all
select day, 'water_loss_share', loss_m3, inflow_m3 from zones
union all
select day, 'water_night_flow', night_flow_m3_h, zones_with_night from zones
