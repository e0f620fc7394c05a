with source as (
    select * from {{ source('raw', 'leak_finding') }}
),

leak_finding as (
    select
        finding_id,
        event_time as changed_at,
        "status",
        zone_id,
        pipe,
        first_seen,
        likely_start,
        ended_at,
        flow_m3_h,
        flow_low_m3_h,
        flow_high_m3_h,
        cost_day,
        confidence,
        alternatives,
        note,
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

select * from leak_finding
