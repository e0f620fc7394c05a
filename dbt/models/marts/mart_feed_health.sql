with contracts as (
    select * from (values
        {% for feed in feeds() -%}
        ('{{ feed.code }}', '{{ feed.origin }}', '{{ feed.owner }}', {{ feed.freshness_s }}){{ ',' if not loop.last }}
        {% endfor -%}
    ) as t (feed, origin, owner, freshness_s)
),

ever as (
    select
        feed,
        sum("rows") as rows_total,
        max(last_event_at) as last_event_at,
        max(last_received_at) as last_received_at
    from {{ ref('int_feed_day') }}
    group by feed
),

last_day as (
    {% for feed in feeds() -%}
    select '{{ feed.code }}' as feed, count(*) as rows_24h, count(*) filter (clock_status <> 'ok') as clock_marked_24h
    from {{ ref('stg_' ~ feed.code) }}
    where received_at > {{ as_of() }} - interval 24 hour and received_at <= {{ as_of() }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

refusals as (
    select
        feed,
        count(*) as quarantined_total,
        count(*) filter (refused_at > {{ as_of() }} - interval 24 hour) as quarantined_24h
    from {{ ref('stg_quarantine') }}
    where retried_at is null
    group by feed
),

loads as (
    select feed, sum(duplicates) as duplicates_total, sum(conflicts) as conflicts_total
    from {{ source('ops', 'segment') }}
    group by feed
),

gaps as (
    select feed, sum(missing) as gap_messages_24h
    from {{ ref('mart_sequence_gap') }}
    where noticed_at > {{ as_of() }} - interval 24 hour
    group by feed
),

failures as (
    select subject as feed, count(*) as failures_24h
    from {{ ref('stg_ingest_outcome') }}
    where not success and started_at > {{ as_of() }} - interval 24 hour
    group by subject
)

select
    contracts.feed,
    contracts.origin,
    contracts.owner,
    cast(coalesce(ever.rows_total, 0) as bigint) as rows_total,
    last_day.rows_24h,
    ever.last_event_at,
    ever.last_received_at,
    coalesce(refusals.quarantined_total, 0) as quarantined_total,
    coalesce(refusals.quarantined_24h, 0) as quarantined_24h,
    cast(coalesce(loads.duplicates_total, 0) as bigint) as duplicates_total,
    cast(coalesce(loads.conflicts_total, 0) as bigint) as conflicts_total,
    last_day.clock_marked_24h,
    cast(coalesce(gaps.gap_messages_24h, 0) as bigint) as gap_messages_24h,
    cast(contracts.freshness_s as bigint) as freshness_s,
    {{ seconds_between('ever.last_received_at', as_of()) }} as silent_s,
    case
        when contracts.freshness_s = 0 then false
        when ever.last_received_at is null then null
        else {{ seconds_between('ever.last_received_at', as_of()) }} > contracts.freshness_s
    end as is_silent,
    coalesce(failures.failures_24h, 0) as failures_24h
from contracts
left join ever using (feed)
left join last_day using (feed)
left join refusals using (feed)
left join loads using (feed)
left join gaps using (feed)
left join failures using (feed)
