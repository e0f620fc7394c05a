-- one row per run of a scenario: who was asked, who answered, how fast

with lines as (
    select * from {{ ref('stg_ledger_entry') }} where run_id is not null
),

runs as (
    select
        run_id,
        arg_min(scenario, seq) as scenario,
        arg_min(scenario_version, seq) as scenario_version,
        arg_min(mode, seq) filter (mode <> 'none') as mode,
        arg_min(trigger_kind, seq) as trigger_kind,
        arg_min(trigger_key, seq) as trigger_key,
        min(written_at) as started_at,
        max(written_at) as last_line_at,
        count(distinct command_id) filter (kind = 'created') as commands,
        count(*) filter (kind = 'notified') as notices,
        count(*) filter (kind = 'escalated') as escalated,
        -- the process itself did not send them: a broker where anybody may publish moves no door
        count(*) filter (kind = 'refused' and device_id is null) as not_sent
    from lines
    group by run_id
),

-- a button's press is a line of its own, with the name
people as (
    select trigger_kind, trigger_key, arg_min(by_whom, seq) as started_by
    from {{ ref('stg_ledger_entry') }}
    where kind = 'seen' and by_whom is not null
    group by trigger_kind, trigger_key
),

asked as (
    select * from {{ ref('mart_command') }} where mode in ('live', 'drill')
),

-- each device counts once a command: a run repeats its commands, and locks again what it unlocked
answered as (
    select
        run_id,
        count(*) as expected,
        count(*) filter (result in ('done', 'would_do')) as done,
        count(*) filter (result = 'refused') as refused,
        count(*) filter (result = 'failed') as failed,
        count(*) filter (result is null) as silent,
        quantile_cont(answer_ms, 0.5) as p50_ms,
        quantile_cont(answer_ms, 0.99) as p99_ms,
        max(answer_ms) as last_answer_ms
    from asked
    group by run_id
),

-- a door counts once a run: whether it did what it was first asked for, at whichever repetition
first_asked as (
    select run_id, device_id, arg_min(action, commanded_at) as action
    from asked
    where device_kind = 'door'
    group by run_id, device_id
),

each_door as (
    select run_id, device_id, coalesce(bool_or(result in ('done', 'would_do')), false) as is_answered
    from asked
    inner join first_asked using (run_id, device_id, action)
    group by run_id, device_id
),

doors as (
    select run_id, count(*) as doors, count(*) filter (is_answered) as doors_answered from each_door group by run_id
)

select
    runs.run_id,
    runs.scenario,
    runs.scenario_version,
    runs.mode,
    runs.trigger_kind,
    runs.trigger_key,
    people.started_by,
    runs.started_at,
    runs.last_line_at,
    runs.commands,
    coalesce(answered.expected, 0) as expected,
    coalesce(answered.done, 0) as done,
    coalesce(answered.refused, 0) as refused,
    coalesce(answered.failed, 0) as failed,
    coalesce(answered.silent, 0) as silent,
    coalesce(doors.doors, 0) as doors,
    coalesce(doors.doors_answered, 0) as doors_answered,
    answered.p50_ms,
    answered.p99_ms,
    answered.last_answer_ms,
    runs.notices,
    runs.escalated,
    runs.not_sent
from runs
left join answered using (run_id)
left join doors using (run_id)
left join people using (trigger_kind, trigger_key)
