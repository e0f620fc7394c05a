with source as (
    select * from {{ source('raw', 'meter_visit') }}
),

meter_visit as (
    select
        visit_id,
        event_time as visited_at,
        {{ pseudonym('meter_id') }} as meter_key,
        house_id,
        zone_id,
        result,
        reading_m3,
        {{ pseudonym('inspector') }} as inspector_key,
        {{ pseudonym('note') }} as note_key,
        photos,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from meter_visit
