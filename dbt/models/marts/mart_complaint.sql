with updates as (
    select
        *,
        -- the contract's key allows two statuses in one moment: closed is the later one
        row_number() over (
            partition by service_request_id order by updated_at desc, ("status" = 'closed') desc, received_at desc, segment_row desc
        ) as newest
    from {{ ref('stg_complaint') }}
),

latest as (
    select * from updates where newest = 1
),

history as (
    select
        service_request_id,
        count(*) as updates,
        min(requested_at) as requested_at,
        max(updated_at) filter ("status" = 'open') as last_open_at
    from updates
    group by service_request_id
),

-- closed when first told closed after it was last open
closings as (
    select updates.service_request_id, min(updates.updated_at) as closed_at
    from updates
    inner join history using (service_request_id)
    where updates."status" = 'closed'
        and (history.last_open_at is null or updates.updated_at >= history.last_open_at)
    group by updates.service_request_id
)

select
    latest.service_request_id,
    latest.service_code,
    latest.service_name,
    latest."status",
    history.requested_at,
    latest.updated_at,
    closings.closed_at,
    latest.deadline,
    coalesce(latest.deadline < coalesce(closings.closed_at, {{ as_of() }}), false) as is_overdue,
    latest.executor,
    latest.cost_rub,
    latest.channel,
    latest.latitude,
    latest.longitude,
    history.updates
from latest
inner join history using (service_request_id)
left join closings on closings.service_request_id = latest.service_request_id and latest."status" = 'closed'
