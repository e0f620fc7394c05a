with source as (
    select * from {{ source('raw', 'scada_reading') }}
),

scada_reading as (
    select
        sensor_id,
        event_time as measured_at,
        quantity,
        "value",
        role,
        zone_id,
        quality,
        boot_id,
        "sequence",
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from scada_reading
