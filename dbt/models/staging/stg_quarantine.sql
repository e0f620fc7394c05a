with source as (
    select * from {{ source('raw', 'quarantine') }}
),

quarantine as (
    select
        quarantine_id,
        feed,
        topic,
        refused_at,
        reason,
        "field" as field_name,
        "value" as field_value,
        payload,
        retried_at,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from quarantine
