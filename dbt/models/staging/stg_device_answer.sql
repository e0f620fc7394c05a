with source as (
    select * from {{ source('raw', 'device_answer') }}
),

device_answer as (
    select
        command_id,
        attempt,
        device_id,
        answered_at,
        result,
        reason,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from device_answer
