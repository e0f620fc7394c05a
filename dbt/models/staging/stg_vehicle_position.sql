with source as (
    select * from {{ source('raw', 'vehicle_position') }}
),

vehicle_position as (
    select
        vehicle_id,
        "timestamp" as fix_at,
        latitude,
        longitude,
        bearing_deg,
        speed_m_s,
        odometer_m,
        trip_id,
        route_id,
        direction_id,
        trip_headsign,
        start_date,
        start_time,
        stop_id,
        current_stop_sequence,
        current_status,
        schedule_relationship,
        congestion_level,
        occupancy_status,
        vehicle_label,
        {{ pseudonym('license_plate') }} as license_plate_key,
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

select * from vehicle_position
