with source as (
    select * from {{ source('raw', 'camera_event') }}
),

camera_event as (
    select
        event_id,
        camera_id,
        site_id,
        event_time as seen_at,
        class_name,
        confidence,
        calibrated,
        box_x,
        box_y,
        box_w,
        box_h,
        frame_ref,
        frame_sha256,
        track_id,
        model,
        latitude,
        longitude,
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

select * from camera_event
