with changes as (
    select * from {{ ref('stg_incident') }}
),

latest as (
    select *
    from changes
    qualify row_number() over (
        partition by incident_id order by changed_at desc, ("status" = 'closed') desc, received_at desc
    ) = 1
),

last_opening as (
    select incident_id, max(changed_at) filter ("status" = 'open') as last_open_at
    from changes
    group by incident_id
),

closing_before as (
    select changes.incident_id, max(changes.changed_at) as closed_before_at
    from changes
    inner join last_opening using (incident_id)
    where changes."status" = 'closed' and changes.changed_at < last_opening.last_open_at
    group by changes.incident_id
),

-- the current spell, or the last one: an incident that came back counts from when it came back
spell as (
    select
        changes.incident_id,
        min(changes.changed_at) filter (
            changes."status" = 'open'
            and (closing_before.closed_before_at is null or changes.changed_at > closing_before.closed_before_at)
        ) as opened_at,
        min(changes.changed_at) filter (
            changes."status" = 'closed'
            and (last_opening.last_open_at is null or changes.changed_at >= last_opening.last_open_at)
        ) as closed_at
    from changes
    inner join last_opening using (incident_id)
    left join closing_before using (incident_id)
    group by changes.incident_id
)

select
    latest.incident_id,
    latest.kind,
    latest.severity,
    latest.subject,
    latest.title,
    coalesce(spell.opened_at, spell.closed_at) as opened_at,
    spell.closed_at,
    latest."status"
from latest
inner join spell using (incident_id)
