-- one row per house with a door: how its doors answered the last drill that reached for them

with doors as (
    select
        device_id,
        coalesce(house_id, site_id, device_id) as house_id,
        coalesce(address, name_ru) as address,
        zone_id
    from {{ source('ops', 'device') }}
    where kind = 'door' and is_registered
),

asked as (
    select device_id, run_id, action, commanded_at, result
    from {{ ref('mart_command') }}
    where mode = 'drill' and device_kind = 'door'
),

-- a drill repeats, and locks again: what the door was first asked for is the drill
drills as (
    select
        device_id,
        run_id,
        min(commanded_at) as commanded_at,
        coalesce(bool_or(result = 'would_do'), false) as is_answered
    from asked
    inner join (
        select device_id, run_id, arg_min(action, commanded_at) as action from asked group by device_id, run_id
    ) as first_asked using (device_id, run_id, action)
    group by device_id, run_id
),

last_drill as (
    select * from drills
    qualify row_number() over (partition by device_id order by commanded_at desc, run_id desc) = 1
),

ever as (
    select device_id, max(answered_at) as last_answer_at
    from {{ ref('mart_command') }}
    where result in ('done', 'would_do')
    group by device_id
)

select
    doors.house_id,
    min(doors.address) as address,
    min(doors.zone_id) as zone_id,
    count(*) as doors,
    count(last_drill.run_id) as doors_drilled,
    count(*) filter (last_drill.is_answered) as doors_answered,
    -- no drill yet means not known, never zero
    case when count(last_drill.run_id) > 0
        then count(*) filter (last_drill.is_answered) / count(last_drill.run_id) end as answered_share,
    max(last_drill.commanded_at) as last_drill_at,
    max(ever.last_answer_at) as last_answer_at,
    {{ seconds_between('max(ever.last_answer_at)', as_of()) }} / 86400 as last_answer_age_days
from doors
left join last_drill using (device_id)
left join ever using (device_id)
group by doors.house_id
