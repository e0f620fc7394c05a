{{ config(
    materialized='incremental', unique_key=['feed', 'day'], incremental_strategy='delete+insert', on_schema_change='fail'
) }}

-- one row per feed and local day of the event
{% for feed in feeds() %}
{%- set staging = ref('stg_' ~ feed.code) %}
select
    '{{ feed.code }}' as feed,
    {{ local_day('event_at') }} as day,
    count(*) as "rows",
    count(*) filter (clock_status <> 'ok') as clock_marked,
    -- one bit for each hour on the city's clock
    cast(bit_count(bit_or(cast(1 as bigint) << extract(hour from {{ local_clock('event_at') }}))) as bigint)
        as hours_with_rows,
    min(event_at) as first_event_at,
    max(event_at) as last_event_at,
    max(received_at) as last_received_at
from {{ staging }}
where {{ in_days_of_news(feed.code) }}
    {%- if is_incremental() %}
    and {{ local_day('event_at') }} in (
        select distinct {{ local_day('event_at') }} from {{ staging }} where {{ is_new(feed.code) }}
    )
    {%- endif %}
group by all
{% if not loop.last %}union all{% endif %}
{% endfor %}
