with latest as (
    select *
    from {{ ref('stg_leak_finding') }}
    qualify row_number() over (partition by finding_id order by changed_at desc, ("status" = 'closed') desc, received_at desc) = 1
)

select
    latest.finding_id,
    latest."status",
    latest.zone_id,
    latest.pipe,
    latest.first_seen as first_seen_at,
    latest.likely_start as likely_start_at,
    latest.ended_at,
    latest.flow_m3_h,
    latest.flow_low_m3_h,
    latest.flow_high_m3_h,
    latest.cost_day,
    latest.confidence,
    latest.alternatives,
    latest.latitude,
    latest.longitude,
    latest.flow_m3_h
    * {{ seconds_between('coalesce(latest.likely_start, latest.first_seen)', 'coalesce(latest.ended_at, latest.changed_at)') }}
    / 3600 as lost_m3
from latest
