with source as (
    select * from {{ source('raw', 'trip_update') }}
),

trip_update as (
    select
        trip_id,
        "timestamp" as predicted_at,
        route_id,
        direction_id,
        start_date,
        start_time,
        vehicle_id,
        stop_sequence,
        stop_id,
        arrival_time as arrival_at,
        arrival_delay_s,
        departure_time as departure_at,
        departure_delay_s,
        trip_schedule_relationship,
        stop_schedule_relationship,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from trip_update
