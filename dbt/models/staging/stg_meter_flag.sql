with source as (
    select * from {{ source('raw', 'meter_flag') }}
),

meter_flag as (
    select
        meter_id,
        {{ pseudonym('meter_id') }} as meter_key,
        event_time as told_at,
        kind,
        "status",
        reason_ru,
        reason_en,
        value_m3,
        before_m3,
        house_id,
        zone_id,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from meter_flag
