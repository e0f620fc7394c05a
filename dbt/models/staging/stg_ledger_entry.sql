with source as (
    select * from {{ source('raw', 'ledger_entry') }}
),

ledger_entry as (
    select
        ledger_id,
        seq,
        "at" as written_at,
        kind,
        entity,
        mode,
        command_id,
        target,
        device_id,
        action,
        scenario,
        version as scenario_version,
        run_id,
        trigger_kind,
        trigger_key,
        "by" as by_whom,
        reason,
        answer_ms,
        detail,
        prev_hash as line_before_hash,
        "hash" as line_hash,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from ledger_entry
