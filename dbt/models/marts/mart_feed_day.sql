{% set watched = [] -%}
{%- for feed in feeds() if 0 < feed.freshness_s <= 3600 -%}{%- do watched.append("'" ~ feed.code ~ "'") -%}{%- endfor %}

with feed_day as (
    select * from {{ ref('int_feed_day') }}
),

loads as (
    select
        feed,
        {{ local_day('loaded_at') }} as day,
        sum("rows") as loaded,
        sum(duplicates) as duplicates,
        sum(conflicts) as conflicts
    from {{ source('ops', 'segment') }}
    group by all
),

refusals as (
    select feed, {{ local_day('refused_at') }} as day, count(*) as quarantined
    from {{ ref('stg_quarantine') }}
    where retried_at is null
    group by all
),

gaps as (
    select feed, {{ local_day('noticed_at') }} as day, sum(missing) as gap_messages
    from {{ ref('mart_sequence_gap') }}
    group by all
),

city_end as (
    select max(last_event_at) as last_event_at, max(day) as last_day
    from feed_day
    where last_event_at <= {{ as_of() }}
),

spells as (
    select
        feed, day, first_event_at,
        lag(day) over course as day_before,
        lead(day) over course as day_after
    from feed_day
    where feed in ({{ watched | join(', ') }})
    window course as (partition by feed order by day)
),

-- a watched feed is expected on each day since its first message; 30 silent days and it is taken out of service
expected_days as (
    select
        feed,
        cast(unnest(generate_series(
            day, least(coalesce(day_after - 1, greatest(day, (select last_day from city_end))), day + 30), interval 1 day
        )) as date) as day,
        case when day_before is null or day_before < day - 31 then day end as first_day,
        first_event_at
    from spells
),

expected as (
    select
        feed,
        day,
        {{ seconds_between(
            "date_trunc('hour', case when day = first_day then first_event_at else " ~ day_start('day') ~ " end)",
            "least(" ~ day_end('day') ~ ", date_trunc('hour', (select last_event_at from city_end)) + interval 1 hour)"
        ) }} / 3600 as hours
    from expected_days
),

spine as (
    select feed, day from feed_day
    union
    select feed, day from loads
    union
    select feed, day from refusals
    union
    select feed, day from gaps
    union
    select feed, day from expected
)

select
    spine.day,
    spine.feed,
    coalesce(feed_day."rows", 0) as "rows",
    cast(coalesce(loads.loaded, 0) as bigint) as loaded,
    coalesce(refusals.quarantined, 0) as quarantined,
    cast(coalesce(loads.duplicates, 0) as bigint) as duplicates,
    cast(coalesce(loads.conflicts, 0) as bigint) as conflicts,
    coalesce(feed_day.clock_marked, 0) as clock_marked,
    cast(coalesce(gaps.gap_messages, 0) as bigint) as gap_messages,
    case when expected.hours > 0 then least(coalesce(feed_day.hours_with_rows, 0), ceil(expected.hours))::bigint end
        as hours_with_rows,
    case when expected.hours > 0 then expected.hours end as hours_expected
from spine
left join feed_day using (feed, day)
left join loads using (feed, day)
left join refusals using (feed, day)
left join gaps using (feed, day)
left join expected using (feed, day)
