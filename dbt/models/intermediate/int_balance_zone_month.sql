{{ config(
    materialized='incremental', unique_key='month', incremental_strategy='delete+insert', on_schema_change='fail'
) }}

-- depends_on: {{ ref('stg_meter_reading') }}
-- depends_on: {{ ref('stg_scada_reading') }}
-- depends_on: {{ ref('mart_meter_day') }}

-- one row per zone and local month: the days whose inflow is known. A meter's error is the same on all its days, so
-- squares are taken of its month, not of its days.

with
{% if is_incremental() -%}
{{ meter_span(with_flow=true) }}
{%- endif %}

known as (
    select zone_id, day, date_trunc('month', day) as month
    from {{ ref('mart_zone_day') }}
    where covered_share >= {{ var('zone_covered_share') }}
        {%- if is_incremental() %}
        and day between date_trunc('month', (select first_day from span)) and last_day((select last_day from span))
        {%- endif %}
),

meter_month as (
    select
        known.zone_id,
        known.month,
        used.meter_key,
        any_value(used."scope") as "scope",
        sum(used.measured_m3) as measured_m3,
        sum(used.estimated_m3) as estimated_m3
    from known
    inner join {{ ref('mart_meter_use_day') }} as used
        on used.zone_id = known.zone_id and used.day = known.day and not used.is_inside_house_meter
    group by known.zone_id, known.month, used.meter_key
),

metered as (
    select
        zone_id,
        month,
        count(*) as meters,
        sum(measured_m3) as metered_m3,
        sum(estimated_m3) as estimated_m3,
        sum(power(case "scope" when 'house' then norm.house_accuracy else norm.flat_accuracy end * measured_m3, 2))
            as metered_sq,
        sum(power(norm.estimate_accuracy * estimated_m3, 2)) as estimated_sq
    from meter_month
    cross join {{ ref('int_water_norm') }} as norm
    group by zone_id, month
),

sensor_month as (
    select
        known.zone_id,
        known.month,
        flow.sensor_id,
        sum(case flow.role when 'inlet' then flow.volume_m3 else -flow.volume_m3 end) as net_m3
    from known
    inner join {{ ref('int_flow_day') }} as flow on flow.zone_id = known.zone_id and flow.day = known.day
    group by known.zone_id, known.month, flow.sensor_id
),

inflow as (
    select
        zone_id,
        month,
        sum(net_m3) as system_input_m3,
        sum(power(norm.inlet_accuracy * net_m3, 2)) as system_input_sq
    from sensor_month
    cross join {{ ref('int_water_norm') }} as norm
    group by zone_id, month
)

select
    cast(inflow.month as date) as month,
    inflow.zone_id,
    days.days,
    coalesce(metered.meters, 0) as meters,
    inflow.system_input_m3,
    inflow.system_input_sq,
    case when metered.meters > 0 then coalesce(metered.metered_m3, 0.0) end as metered_m3,
    coalesce(metered.estimated_m3, 0.0) as estimated_m3,
    coalesce(metered.metered_sq, 0.0) as metered_sq,
    coalesce(metered.estimated_sq, 0.0) as estimated_sq
from inflow
inner join (select zone_id, month, count(*) as days from known group by zone_id, month) as days
    on days.zone_id = inflow.zone_id and days.month = inflow.month
left join metered on metered.zone_id = inflow.zone_id and metered.month = inflow.month
