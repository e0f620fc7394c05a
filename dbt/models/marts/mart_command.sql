-- one row per command and device: what was asked, what it answered, what its own sensor said

with lines as (
    select * from {{ ref('stg_ledger_entry') }}
),

commands as (
    select
        command_id,
        arg_min(target, seq) as target,
        arg_min(action, seq) as action,
        arg_min(mode, seq) as mode,
        arg_min(scenario, seq) as scenario,
        arg_min(scenario_version, seq) as scenario_version,
        arg_min(run_id, seq) as run_id,
        arg_min(trigger_kind, seq) as trigger_kind,
        arg_min(trigger_key, seq) as trigger_key,
        -- lines may come to the lake in any order: until the first is there, the earliest stands for it
        coalesce(min(written_at) filter (kind = 'created'), min(written_at)) as commanded_at,
        min(written_at) filter (kind = 'sent') as sent_at,
        arg_min(detail, seq) filter (kind = 'created') as detail
    from lines
    where command_id is not null
    group by command_id
),

-- who answered, or is known not to have: once a command has expired that is everybody
spoken as (
    select distinct command_id, device_id
    from lines
    where command_id is not null and device_id is not null
        and kind in ('acked', 'refused', 'failed', 'expired', 'retried', 'escalated')
),

-- while it is open, the register says who is still expected (as the reflex process does: zone, kinds, action)
still_open as (
    select commands.*, json_extract_string(detail, '$.effect.target.kinds') as kinds
    from commands
    where mode in ('live', 'drill') and json_valid(detail)
        and cast(json_extract(detail, '$.expected') as bigint)
            > (select count(*) from spoken where spoken.command_id = commands.command_id)
),

expected as (
    select command_id, device_id from spoken
    union
    select still_open.command_id, device.device_id
    from still_open
    inner join {{ source('ops', 'device') }} as device
        on device.is_registered
        and list_contains(string_split(device.actions, ' '), still_open.action)
        and (
            still_open.target = 'device:' || device.device_id
            or (
                still_open.target = 'zone:' || device.zone_id
                and (coalesce(still_open.kinds, '[]') = '[]' or contains(still_open.kinds, '"' || device.kind || '"'))
            )
        )
),

-- the answer that counts: the first that did it, else the first of any kind
answers as (
    select command_id, device_id, kind, written_at, reason, answer_ms
    from lines
    where kind in ('acked', 'refused', 'failed')
    qualify row_number() over (partition by command_id, device_id order by (kind = 'acked') desc, seq) = 1
),

handling as (
    select
        command_id,
        device_id,
        1 + count(*) filter (kind = 'retried') as attempts,
        min(written_at) filter (kind = 'expired') as expired_at,
        min(written_at) filter (kind = 'escalated') as escalated_at
    from lines
    where command_id is not null and device_id is not null
    group by command_id, device_id
),

-- what a device's sensor said between this command and the next one to the same device
sensed as (
    select device_id, written_at, reason as state
    from lines
    where kind = 'sensed' and device_id is not null
),

spans as (
    select
        expected.command_id,
        expected.device_id,
        commands.commanded_at,
        lead(commands.commanded_at) over (partition by expected.device_id order by commands.commanded_at) as next_at
    from expected
    inner join commands using (command_id)
),

sensed_after as (
    select
        spans.command_id,
        spans.device_id,
        arg_max(sensed.state, sensed.written_at) as sensed,
        max(sensed.written_at) as sensed_at
    from spans
    inner join sensed
        on sensed.device_id = spans.device_id
        and sensed.written_at >= spans.commanded_at
        and (spans.next_at is null or sensed.written_at < spans.next_at)
    group by spans.command_id, spans.device_id
)

select
    expected.command_id,
    expected.device_id,
    device.kind as device_kind,
    device.zone_id,
    coalesce(device.house_id, device.site_id) as house_id,
    device.address,
    commands.target,
    commands.action,
    commands.mode,
    commands.scenario,
    commands.scenario_version,
    commands.run_id,
    commands.trigger_kind,
    commands.trigger_key,
    commands.commanded_at,
    commands.sent_at,
    cast(coalesce(handling.attempts, 1) as bigint) as attempts,
    answers.written_at as answered_at,
    case answers.kind
        when 'acked' then case when commands.mode = 'drill' then 'would_do' else 'done' end
        else answers.kind
    end as result,
    answers.reason,
    -- by the platform's clock: a device's own may be wrong
    coalesce(answers.answer_ms, 1000 * {{ seconds_between('commands.commanded_at', 'answers.written_at') }})
        as answer_ms,
    sensed_after.sensed,
    sensed_after.sensed_at,
    handling.expired_at,
    handling.escalated_at
from expected
inner join commands using (command_id)
left join answers using (command_id, device_id)
left join handling using (command_id, device_id)
left join sensed_after using (command_id, device_id)
left join {{ source('ops', 'device') }} as device using (device_id)
