with source as (
    select * from {{ source('raw', 'device_command') }}
),

device_command as (
    select
        command_id,
        device_id,
        action,
        issued_at,
        expires_at,
        attempt,
        mode,
        trigger_feed,
        trigger_key,
        "text",
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from device_command
