with source as (
    select * from {{ source('raw', 'notice_delivery') }}
),

notice_delivery as (
    select
        notice_id,
        channel,
        recipient,
        attempt,
        at,
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
        waited_s
    from source
)

select * from notice_delivery
