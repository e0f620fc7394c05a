-- one row per day and KPI of cameras: numerator and denominator as domains/kpi/catalogue.yaml words them

with waste as (
    select
        site_id,
        {{ local_day('event_at') }} as day,
        bool_or(class_name in ('waste_full', 'waste_beside')) as is_dirty
    from {{ ref('mart_camera_event') }}
    where class_name like 'waste%'
    group by all
),

camera_days as (
    select day from {{ ref('int_feed_day') }} where feed = 'camera_event'
),

sites as (
    select
        camera_days.day,
        count(distinct waste.site_id) as sites,
        count(distinct waste.site_id) filter (waste.is_dirty and waste.day = camera_days.day) as dirty_sites
    from camera_days
    inner join waste on waste.day between camera_days.day - 29 and camera_days.day
    group by camera_days.day
),

closed as (
    select
        {{ local_day('closed_at') }} as day,
        median({{ seconds_between('opened_at', 'closed_at') }} / 3600) as median_hours,
        count(*) as incidents
    from {{ ref('mart_incident') }}
    where kind = 'camera' and closed_at is not null
    group by all
)

select day, 'waste_sites_clean' as code, sites - dirty_sites as numerator, sites as denominator from sites
union all
select day, 'waste_reaction_hours', median_hours, incidents from closed
