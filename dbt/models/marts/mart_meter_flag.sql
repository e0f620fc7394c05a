with changes as (
    select
        *,
        row_number() over (
            partition by meter_key, kind, "status", told_at order by received_at
        ) as again
    from {{ ref('stg_meter_flag') }}
),

course as (
    select
        *,
        lead(told_at) over one_kind as next_at,
        lead("status") over one_kind as next_status
    from changes
    where again = 1
    window one_kind as (partition by meter_key, kind order by received_at, told_at, "status" desc)
)

select
    meter_key,
    kind,
    told_at as raised_at,
    case when next_status = 'cleared' then greatest(next_at, told_at) end as cleared_at,
    next_status is null as is_open,
    reason_ru,
    reason_en,
    value_m3,
    before_m3,
    house_id,
    zone_id
from course
where "status" = 'raised'
