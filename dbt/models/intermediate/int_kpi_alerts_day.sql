-- one row per day and KPI of alerts: numerator and denominator as domains/kpi/catalogue.yaml words them

with commands as (
    select
        {{ local_day('commanded_at') }} as day,
        count(*) as asked,
        count(*) filter (result in ('done', 'would_do')) as done,
        count(*) filter (result = 'refused') as refused,
        count(answer_ms) as answered,
        median(answer_ms) / 1000 as median_answer_s,
        count(*) filter (device_kind = 'door') as doors_asked,
        count(*) filter (device_kind = 'door' and result in ('done', 'would_do')) as doors_done
    from {{ ref('mart_command') }}
    where mode in ('live', 'drill')
    group by all
),

runs as (
    select {{ local_day('started_at') }} as day, count(last_answer_ms) as runs, max(last_answer_ms) / 1000 as last_s
    from {{ ref('mart_scenario_run') }}
    where doors > 0 and mode in ('live', 'drill')
    group by all
),

-- each door once a day: as it answered the day's last drill
drilled as (
    select {{ local_day('commanded_at') }} as day, house_id, result
    from {{ ref('mart_command') }}
    where mode = 'drill' and device_kind = 'door'
    qualify row_number() over (partition by {{ local_day('commanded_at') }}, device_id order by commanded_at desc) = 1
),

houses as (
    select day, house_id, bool_and(coalesce(result, '') = 'would_do') as is_ready
    from drilled
    group by day, house_id
)

select day, 'alert_commands_done' as code, done as numerator, asked as denominator from commands
union all
select day, 'alert_answer_seconds', median_answer_s, answered from commands
union all
select day, 'alert_commands_refused', refused, asked from commands
union all
select day, 'alert_doors_answered', doors_done, doors_asked from commands
union all
select day, 'alert_last_answer_seconds', last_s, runs from runs
union all
select day, 'alert_houses_ready', count(*) filter (is_ready), count(*) from houses group by day
