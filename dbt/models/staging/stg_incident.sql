with source as (
    select * from {{ source('raw', 'incident') }}
),

incident as (
    select
        incident_id,
        event_time as changed_at,
        "status",
        kind,
        severity,
        subject,
        title,
        detail,
        latitude,
        longitude,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from incident
