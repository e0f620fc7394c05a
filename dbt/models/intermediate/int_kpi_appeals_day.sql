-- one row per day and KPI of appeals: numerator and denominator as domains/kpi/catalogue.yaml words them

with complaint as (
    select
        *,
        {{ local_day('requested_at') }} as asked_on,
        {{ local_day('closed_at') }} as closed_on,
        -- overdue from this day's end on
        case when deadline is not null then greatest({{ local_day('deadline') }}, {{ local_day('requested_at') }}) end
            as overdue_from
    from {{ ref('mart_complaint') }}
),

city_end as (
    select max(day) as last_day from {{ ref('int_feed_day') }} where last_event_at <= {{ as_of() }}
),

days as (
    select cast(unnest(generate_series(
        (select min(asked_on) from complaint),
        (select greatest(max(asked_on), max(closed_on), (select last_day from city_end)) from complaint),
        interval 1 day
    )) as date) as day
),

closed as (
    select
        closed_on as day,
        count(*) as closed,
        count(*) filter (deadline is not null) as closed_with_deadline,
        count(*) filter (closed_at <= deadline) as closed_on_time,
        median({{ seconds_between('requested_at', 'closed_at') }} / 3600) as median_hours
    from complaint
    where closed_on is not null
    group by closed_on
),

changes as (
    select asked_on as day, 1 as asked, 0 as overdue from complaint
    union all
    select overdue_from, 0, 1 from complaint
    where overdue_from is not null and (closed_on is null or closed_on > overdue_from)
    union all
    select closed_on, 0, -1 from complaint
    where overdue_from is not null and closed_on > overdue_from
    union all
    select day, 0, 0 from days
),

standing as (
    select distinct
        day,
        sum(asked) over course as asked_so_far,
        sum(overdue) over course as open_overdue
    from changes
    window course as (order by day)
),

told as (
    select
        days.day,
        coalesce(closed.closed, 0) as closed,
        coalesce(closed.closed_with_deadline, 0) as closed_with_deadline,
        coalesce(closed.closed_on_time, 0) as closed_on_time,
        closed.median_hours,
        standing.asked_so_far,
        standing.open_overdue
    from days
    inner join standing using (day)
    left join closed using (day)
)

select day, 'appeals_closed_on_time' as code, closed_on_time as numerator, closed_with_deadline + open_overdue as denominator
from told
union all
select day, 'appeals_hours_to_close', median_hours, closed from told
union all
select day, 'appeals_open_overdue', open_overdue, asked_so_far from told
