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
),

balance as (
    select mart.*, zone.residents
    from {{ ref('mart_water_balance_day') }} as mart
    left join {{ ref('int_water_zone') }} as zone using (zone_id)
),

-- leaks of a year, as of each day with a zone
bursts as (
    select days.day, count(found.finding_id) as leaks, max(mains.km) as mains_km
    from (select distinct day from {{ ref('mart_zone_day') }}) as days
    cross join (select coalesce(sum(mains_km), 0.0) as km from {{ ref('int_water_zone') }}) as mains
    left join {{ ref('mart_leak_finding') }} as found
        on {{ local_day('found.first_seen_at') }} between days.day - 364 and days.day
    group by days.day
),

orders as (
    select {{ local_day('deadline_at') }} as day, is_in_time
    from {{ ref('mart_work_order') }}
    where is_in_time is not null
)

select day, 'water_use_per_flat' as code, flats_used_m3 as numerator, flats_measured as denominator from metered
union all
select day, 'water_meters_read', meters_read, meters_known from metered
union all
select day, 'water_loss_share', loss_m3, inflow_m3 from zones
union all
select day, 'water_night_flow', night_flow_m3_h, zones_with_night from zones
union all
select day, 'water_ili', coalesce(sum(greatest(real_m3, 0.0) * 1000) filter (uarl_l_day > 0), 0.0),
    coalesce(sum(uarl_l_day), 0.0)
from balance
group by day
union all
select day, 'water_loss_rub', sum(losses_rub), count(*)
from balance
group by day
union all
select day, 'water_use_per_person', coalesce(sum(billed_metered_m3) filter (residents > 0), 0.0),
    coalesce(sum(residents), 0)
from balance
group by day
union all
select day, 'water_houses_out_of_balance', count(*) filter (abs(excess_m3) > excess_pm_m3), count(*)
from {{ ref('mart_house_balance_day') }}
group by day
union all
select day, 'water_bursts', leaks, mains_km * 365
from bursts
union all
select day, 'water_orders_in_time', count(*) filter (is_in_time), count(*)
from orders
group by day
