with source as (
    select * from {{ source('raw', 'work_order') }}
),

work_order as (
    select
        order_id,
        event_time as changed_at,
        stage,
        kind,
        finding_id,
        incident_id,
        contractor,
        zone_id,
        place,
        ordered_at,
        deadline_at,
        done_at,
        cost_rub,
        photos,
        note,
        {{ pseudonym('ordered_by') }} as ordered_by_key,
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

select * from work_order
