{{ config(
    materialized='incremental', unique_key=['feed', 'entity', 'day'], incremental_strategy='delete+insert',
    on_schema_change='fail'
) }}

-- one row per feed, entity, boot, local day and unbroken run of the counter within that day
{% set numbered = feeds() | selectattr('counter') | list -%}
{%- set hidden = numbered | selectattr('under_pseudonym') | map(attribute='code') | list %}

with numbers as (
    {% for feed in numbered -%}
    {%- set staging = ref('stg_' ~ feed.code) %}
    select
        '{{ feed.code }}' as feed,
        {{ feed.entity }} as entity,
        coalesce({{ feed.boot }}, '') as boot_id,
        {{ local_day('event_at') }} as day,
        {{ feed.counter }} as number,
        received_at
    from {{ staging }}
    where {{ feed.counter }} is not null
        and {{ in_days_of_news(feed.code) }}
        {%- if is_incremental() %}
        and ({{ feed.entity }}, {{ local_day('event_at') }}) in (
            select distinct ({{ feed.entity }}, {{ local_day('event_at') }}) from {{ staging }} where {{ is_new(feed.code) }}
        )
        {%- endif %}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

spans as (
    select
        feed, entity, boot_id, day,
        min(number) as first_number,
        max(number) as last_number,
        arg_min(received_at, number) as first_received_at,
        count(distinct number) < max(number) - min(number) + 1 as is_broken
    from numbers
    group by feed, entity, boot_id, day
),

-- only the few broken days are looked at number by number
ranked as (
    select
        feed, entity, boot_id, day, number, received_at,
        number - dense_rank() over (partition by feed, entity, boot_id, day order by number) as island
    from numbers
    semi join (select * from spans where is_broken) as broken using (feed, entity, boot_id, day)
),

runs as (
    select feed, entity, boot_id, day, first_number, last_number, first_received_at
    from spans
    where not is_broken
    union all
    select
        feed, entity, boot_id, day,
        min(number) as first_number,
        max(number) as last_number,
        arg_min(received_at, number) as first_received_at
    from ranked
    group by feed, entity, boot_id, day, island
)

select
    feed,
    case when feed in ('{{ hidden | join("', '") }}') then {{ pseudonym('entity') }} else entity end as entity,
    boot_id,
    day,
    first_number,
    last_number,
    first_received_at
from runs
