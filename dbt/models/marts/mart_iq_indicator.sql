{%- set since = as_of() ~ " - interval 30 day" %}

-- what was seen in the last 30 days, by the names that domains/iq gives to evidence
with feeds as (
    select feed, last_received_at >= {{ since }} as is_seen from {{ ref('mart_feed_health') }}
),

seen as (
    select feed as evidence, coalesce(is_seen, false) as is_seen
    from feeds
    where feed in ('complaint', 'camera_event', 'meter_reading', 'vehicle_position', 'work_order')
    union all
    select 'complaint_with_deadline', coalesce(bool_or(deadline is not null and updated_at >= {{ since }}), false)
    from {{ ref('mart_complaint') }}
    union all
    select 'electricity_meter', coalesce(bool_or(medium = 'electricity' and last_at >= {{ since }}), false)
    from {{ ref('int_meter_day') }}
    union all
    -- a channel took a notice to residents, in earnest or in a drill
    select 'resident_notice', coalesce(bool_or(audience = 'residents' and result = 'sent' and event_at >= {{ since }}), false)
    from {{ ref('stg_notice_delivery') }}
    union all
    select 'leak_with_order', coalesce(bool_or(finding_id is not null and ordered_at >= {{ since }}), false)
    from {{ ref('mart_work_order') }}
),

shown as (
    select
        evidence.version,
        evidence.code,
        count(*) filter (seen.is_seen) as parameters_shown,
        string_agg(evidence.parameter || ': ' || seen.evidence, ', ' order by evidence.parameter) filter (seen.is_seen)
            as computed_from
    from {{ ref('iq_evidence') }} as evidence
    left join seen using (evidence)
    group by evidence.version, evidence.code
)

select
    indicator.version,
    indicator.code,
    indicator.direction,
    direction.name_ru as direction_name_ru,
    indicator.name_ru,
    indicator.unit,
    indicator.kind,
    -- share of the yes/no parameters that a feed shows; nothing shown is not known, never 0
    case when shown.parameters_shown > 0 then shown.parameters_shown / indicator.parameters end as value,
    shown.computed_from,
    indicator.basis,
    indicator.parameters,
    coalesce(shown.parameters_shown, 0) as parameters_shown
from {{ ref('iq_indicator') }} as indicator
inner join {{ ref('iq_direction') }} as direction
    on direction.version = indicator.version and direction.code = indicator.direction
left join shown on shown.version = indicator.version and shown.code = indicator.code
