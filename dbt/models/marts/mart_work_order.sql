with latest as (
    select *
    from {{ ref('stg_work_order') }}
    qualify row_number() over (partition by order_id order by changed_at desc, received_at desc) = 1
),

-- mean net night flow of the zone over the 7 nights before the order and after the work's end: what the repair saved,
-- by the flows and not by the finding
nights as (
    select
        latest.order_id,
        avg(night.night_min_m3_h) filter (
            night.day between {{ local_day('latest.ordered_at') }} - 6 and {{ local_day('latest.ordered_at') }}
        ) as before_m3_h,
        avg(night.night_min_m3_h) filter (
            night.day between {{ local_day('latest.done_at') }} + 1 and {{ local_day('latest.done_at') }} + 7
        ) as after_m3_h
    from latest
    inner join {{ ref('mart_night_flow_day') }} as night using (zone_id)
    where latest.done_at is not null
    group by latest.order_id
)

select
    latest.order_id,
    latest.stage,
    latest.kind,
    latest.finding_id,
    latest.incident_id,
    latest.contractor,
    latest.zone_id,
    latest.place,
    latest.ordered_at,
    latest.deadline_at,
    latest.done_at,
    case
        when latest.stage = 'cancelled' then null
        when latest.done_at is not null then latest.done_at <= latest.deadline_at
        when latest.deadline_at < {{ as_of() }} then false
    end as is_in_time,
    latest.cost_rub,
    latest.photos,
    nights.before_m3_h as night_before_m3_h,
    nights.after_m3_h as night_after_m3_h,
    nights.before_m3_h - nights.after_m3_h as saved_m3_h,
    latest.latitude,
    latest.longitude
from latest
left join nights using (order_id)
