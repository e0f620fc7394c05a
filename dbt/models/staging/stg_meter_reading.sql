with source as (
    select * from {{ source('raw', 'meter_reading') }}
),

meter_reading as (
    select
        -- the hash costs: aggregate by meter_id first, tell only meter_key
        meter_id,
        {{ pseudonym('meter_id') }} as meter_key,
        event_time as read_at,
        medium,
        "scope",
        volume_m3,
        energy_kwh,
        house_id,
        zone_id,
        battery_v,
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

select * from meter_reading
