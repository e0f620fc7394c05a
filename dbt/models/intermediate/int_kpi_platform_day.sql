-- one row per day and KPI of the platform: numerator and denominator as domains/kpi/catalogue.yaml words them

{%- set outside = [] -%}
{%- set numbered = [] -%}
{%- for feed in feeds() -%}
    {%- if feed.origin != 'platform' -%}{%- do outside.append("'" ~ feed.code ~ "'") -%}{%- endif -%}
    {%- if feed.counter -%}{%- do numbered.append("'" ~ feed.code ~ "'") -%}{%- endif -%}
{%- endfor %}

with feed_day as (
    select * from {{ ref('mart_feed_day') }}
),

days as (
    select
        day,
        coalesce(sum(hours_with_rows), 0) as hours_with_rows,
        coalesce(sum(hours_expected), 0) as hours_expected,
        sum(quarantined) as quarantined,
        sum(loaded) filter (feed <> 'quarantine' and feed <> 'ingest_outcome') as loaded,
        sum(clock_marked) filter (feed in ({{ outside | join(', ') }})) as clock_marked,
        sum("rows") filter (feed in ({{ outside | join(', ') }})) as outside_rows,
        sum(gap_messages) as gap_messages,
        sum("rows") filter (feed in ({{ numbered | join(', ') }})) as numbered_rows
    from feed_day
    group by day
)

select day, 'platform_feed_availability' as code, hours_with_rows as numerator, ceil(hours_expected) as denominator from days
union all
select day, 'platform_quarantine_share', quarantined, coalesce(loaded, 0) + quarantined from days
union all
select day, 'platform_clock_trouble_share', coalesce(clock_marked, 0), coalesce(outside_rows, 0) from days
union all
select day, 'platform_messages_missing', gap_messages, coalesce(numbered_rows, 0) + gap_messages from days
