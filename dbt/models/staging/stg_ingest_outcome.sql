with source as (
    select * from {{ source('raw', 'ingest_outcome') }}
),

ingest_outcome as (
    select
        outcome_id,
        stage,
        subject,
        started_at,
        seconds,
        success,
        reason,
        steps,
        messages,
        "rows",
        quarantined,
        duplicates,
        bytes,
        process,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from ingest_outcome
