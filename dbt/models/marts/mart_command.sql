with attempts as (
    select
        command_id,
        arg_min(device_id, attempt) as device_id,
        arg_min(action, attempt) as action,
        arg_min(mode, attempt) as mode,
        arg_min(trigger_feed, attempt) as trigger_feed,
        min(issued_at) as issued_at,
        max(attempt) as attempts
    from {{ ref('stg_device_command') }}
    group by command_id
),

-- the answer that counts: the first that did it, else the first of any kind
answers as (
    select command_id, answered_at, received_at, result, reason
    from {{ ref('stg_device_answer') }}
    qualify row_number() over (
        partition by command_id order by (result in ('done', 'would_do')) desc, received_at, attempt
    ) = 1
)

select
    attempts.command_id,
    attempts.device_id,
    attempts.action,
    attempts.mode,
    attempts.trigger_feed,
    attempts.issued_at,
    attempts.attempts,
    answers.answered_at,
    answers.result,
    answers.reason,
    -- both moments by the platform's clock: a device's own may be wrong
    {{ seconds_between('attempts.issued_at', 'answers.received_at') }} as answer_s
from attempts
left join answers using (command_id)
