-- one row per crossing and hour of the city's clock: how often it was lit, for whom, and whether in time
-- steps: from the ledger, which has a line for a sensor's message when it changed something; the first one of a
-- lighting always does

with devices as (
    select device_id, kind, site_id from {{ source('ops', 'device') }} where site_id is not null
),

-- one row per run and crossing
lightings as (
    select
        command.run_id,
        devices.site_id,
        min(command.commanded_at) filter (command.action = 'light_on') as started_at,
        min(command.answered_at) filter (command.action = 'light_on' and command.result = 'done') as lit_at,
        max(command.commanded_at) as last_command_at,
        bool_or(
            command.action = 'light_on'
            and (command.result in ('failed', 'refused') or (command.result is null and command.expired_at is not null))
        ) as is_lamp_failed
    from {{ ref('mart_command') }} as command
    inner join devices on devices.device_id = command.device_id and devices.kind = 'lamp'
    where command.mode = 'live'
    group by command.run_id, devices.site_id
    having count(*) filter (command.action = 'light_on') > 0
),

-- somebody was seen on the carriageway
steps as (
    select devices.site_id, line.written_at
    from {{ ref('stg_ledger_entry') }} as line
    inner join devices
        on devices.device_id = coalesce(
            json_extract_string(line.detail, '$.event.body.device_id'),
            json_extract_string(line.detail, '$.event.body.device')
        )
    where
        line.kind = 'seen' and line.trigger_kind = 'device_message' and json_valid(line.detail)
        and json_extract_string(line.detail, '$.event.body.direction') = 'crossing'
),

walked as (
    select lightings.*, min(steps.written_at) as step_at
    from lightings
    left join steps
        on steps.site_id = lightings.site_id
        and steps.written_at between lightings.started_at - interval 2 second
            and lightings.last_command_at + interval 1 second
    group by all
),

lit_hours as (
    select
        site_id,
        date_trunc('hour', {{ local_clock('started_at') }}) as hour,
        count(*) as lightings,
        count(step_at) as used,
        count(*) filter (lit_at <= step_at) as lit_before_step,
        count(*) filter (step_at is null) as false_lightings,
        count(*) filter (is_lamp_failed) as lamp_failures
    from walked
    group by all
),

people as (
    select
        site_id,
        date_trunc('hour', {{ local_clock('event_at') }}) as hour,
        count(*) as people
    from {{ ref('mart_camera_event') }}
    where class_name = 'person' and site_id in (select site_id from devices where kind = 'lamp')
    group by all
)

select
    site_id,
    hour,
    cast(hour as date) as day,
    coalesce(people.people, 0) as people,
    coalesce(lit_hours.lightings, 0) as lightings,
    coalesce(lit_hours.used, 0) as used,
    coalesce(lit_hours.lit_before_step, 0) as lit_before_step,
    coalesce(lit_hours.false_lightings, 0) as false_lightings,
    coalesce(lit_hours.lamp_failures, 0) as lamp_failures
from lit_hours
full join people using (site_id, hour)
