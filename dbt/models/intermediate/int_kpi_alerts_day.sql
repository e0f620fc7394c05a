-- one row per day and KPI of alerts: numerator and denominator as domains/kpi/catalogue.yaml words them

with commands as (
    select
        {{ local_day('issued_at') }} as day,
        count(*) as issued,
        count(*) filter (result in ('done', 'would_do')) as done,
        count(answer_s) as answered,
        median(answer_s) as median_answer_s
    from {{ ref('mart_command') }}
    group by all
)

select day, 'alert_commands_done' as code, done as numerator, issued as denominator from commands
union all
select day, 'alert_answer_seconds', median_answer_s, answered from commands
