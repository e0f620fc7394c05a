{{ config(
    materialized='incremental', unique_key='day', incremental_strategy='delete+insert', on_schema_change='fail'
) }}

-- depends_on: {{ ref('stg_meter_reading') }}
-- depends_on: {{ ref('mart_meter_day') }}

-- one row per zone and local day: water through meters, measured and estimated, with squared 95 % half-widths

with
{% if is_incremental() -%}
{{ meter_span() }}
{%- endif %}

counted as (
    select
        used.day,
        used.zone_id,
        used.measured_m3,
        used.estimated_m3,
        case used."scope" when 'house' then norm.house_accuracy else norm.flat_accuracy end as accuracy,
        norm.estimate_accuracy
    from {{ ref('mart_meter_use_day') }} as used
    cross join {{ ref('int_water_norm') }} as norm
    where used.zone_id is not null and not used.is_inside_house_meter
        and {{ in_span('used.day') }}
)

select
    day,
    zone_id,
    count(*) as meters,
    count(*) filter (estimated_m3 > 0) as meters_estimated,
    coalesce(sum(measured_m3), 0.0) as metered_m3,
    coalesce(sum(estimated_m3), 0.0) as estimated_m3,
    coalesce(sum(power(accuracy * measured_m3, 2)), 0.0) as metered_sq,
    coalesce(sum(power(estimate_accuracy * estimated_m3, 2)), 0.0) as estimated_sq
from counted
group by day, zone_id
