with source as (
    select * from {{ source('raw', 'alert') }}
),

alert as (
    select
        identifier,
        sender,
        sent as sent_at,
        "status",
        msgType as msg_type,
        "scope",
        cap_source,
        "restriction",
        addresses,
        "code",
        note,
        "references",
        incidents,
        info,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from alert
