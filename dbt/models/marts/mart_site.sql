with events as (
    select
        site_id,
        max(event_at) as last_event_at,
        arg_max(class_name, (event_at, event_id)) as last_class,
        arg_max(confidence, (event_at, event_id)) as last_confidence,
        count(*) filter (event_at > {{ as_of() }} - interval 7 day) as events_7d
    from {{ ref('mart_camera_event') }}
    group by site_id
),

tasks as (
    select subject as site_id, count(*) as open_tasks
    from {{ ref('mart_incident') }}
    where kind = 'camera' and "status" = 'open'
    group by subject
)

select
    coalesce(events.site_id, tasks.site_id) as site_id,
    events.last_event_at,
    events.last_class,
    events.last_confidence,
    coalesce(events.events_7d, 0) as events_7d,
    coalesce(tasks.open_tasks, 0) as open_tasks
from events
full outer join tasks using (site_id)
