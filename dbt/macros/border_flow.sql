{# CTEs of flow at zones' borders: `affected` (sensor_id, day), what news can change, and `readings`, each with the moment
   until which it holds: the next one of its sensor, at most hold_s. #}
{% macro border_flow(hold_s) -%}
affected as (
    select distinct sensor_id, day
    from (
        select sensor_id, unnest([
            {{ local_day('event_at') }}, {{ local_day('event_at + interval ' ~ hold_s ~ ' second') }}
        ]) as day
        from {{ ref('stg_scada_reading') }}
        where quantity = 'flow_m3_h' and role in ('inlet', 'outlet') and {{ is_new('scada_reading') }}
    )
),

readings as (
    select
        sensor_id,
        event_at,
        value,
        role,
        zone_id,
        least(
            lead(event_at) over (partition by sensor_id order by event_at, measured_at),
            event_at + interval {{ hold_s }} second
        ) as until_at
    from {{ ref('stg_scada_reading') }}
    where quantity = 'flow_m3_h'
        and quality <> 'bad'
        and role in ('inlet', 'outlet')
        and {{ in_days_of_news('scada_reading', before_s=hold_s, after_s=86400 + hold_s) }}
        {%- if is_incremental() %}
        and sensor_id in (select sensor_id from affected)
        {%- endif %}
)
{%- endmacro %}
