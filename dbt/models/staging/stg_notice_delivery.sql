with source as (
    select * from {{ source('raw', 'notice_delivery') }}
),

notice_delivery as (
    select
        notice_id,
        channel,
        recipient,
        attempt,
        "at" as answered_at,
        audience,
        template,
        severity,
        mode,
        scenario,
        run_id,
        result,
        code,
        answer,
        together,
        waited_s,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from notice_delivery
