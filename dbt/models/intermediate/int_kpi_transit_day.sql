-- one row per day and KPI of transit: numerator and denominator as domains/kpi/catalogue.yaml words them

with vehicle_day as (
    select * from {{ ref('mart_vehicle_day') }}
),

days as (
    select
        day,
        count(*) filter ({{ seconds_between('first_at', 'last_at') }} >= 3600) as vehicles_on_line,
        sum(intervals_in_norm) as intervals_in_norm,
        sum(intervals) as intervals,
        sum(distance_m) filter (moving_s > 0) as distance_m,
        sum(moving_s) as moving_s,
        count(*) filter (max_gap_s > 600) as vehicles_with_gaps,
        count(*) as vehicles
    from vehicle_day
    group by day
),

-- the fleet of a day: who was seen on it or in the 29 days before
fleet as (
    select days.day, count(distinct vehicle_day.vehicle_id) as vehicles
    from days
    inner join vehicle_day on vehicle_day.day between days.day - 29 and days.day
    group by days.day
)

select day, 'transit_fleet_on_line' as code, vehicles_on_line as numerator, fleet.vehicles as denominator
from days inner join fleet using (day)
union all
select day, 'transit_fix_regularity', intervals_in_norm, intervals from days
union all
select day, 'transit_speed', distance_m / 1000, moving_s / 3600 from days
union all
select day, 'transit_vehicles_with_gaps', vehicles_with_gaps, vehicles from days
