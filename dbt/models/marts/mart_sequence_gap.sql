-- a gap opens where a run begins later than one after everything that came before it in the same boot
with runs as (
    select
        *,
        max(last_number) over (
            partition by feed, entity, boot_id order by first_number, last_number
            rows between unbounded preceding and 1 preceding
        ) as reached
    from {{ ref('int_sequence_run') }}
)

select
    feed,
    entity,
    boot_id,
    reached as after_sequence,
    first_number as before_sequence,
    first_number - reached - 1 as missing,
    first_received_at as noticed_at
from runs
where first_number > reached + 1
