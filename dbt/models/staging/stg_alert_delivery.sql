with source as (
    select * from {{ source('raw', 'alert_delivery') }}
),

alert_delivery as (
    select
        identifier,
        receiver,
        attempt,
        "at" as answered_at,
        channel,
        status,
        result,
        answer,
        next_at,
        waited_s,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from alert_delivery
