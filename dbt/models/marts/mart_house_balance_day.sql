{{ config(
    materialized='incremental', unique_key='day', incremental_strategy='delete+insert', on_schema_change='fail'
) }}

-- depends_on: {{ ref('stg_meter_reading') }}
-- depends_on: {{ ref('mart_meter_day') }}

with
{% if is_incremental() -%}
{{ meter_span() }}
{%- endif %}

used as (
    select
        *,
        coalesce(measured_m3, 0.0) + coalesce(estimated_m3, 0.0) as used_m3
    from {{ ref('mart_meter_use_day') }}
    where house_id is not null and {{ in_span('day') }}
),

house as (
    select
        used.day,
        used.house_id,
        used.medium,
        any_value(used.zone_id) as zone_id,
        sum(used_m3) filter ("scope" = 'house') as house_m3,
        sum(used_m3) filter ("scope" = 'flat') as flats_m3,
        coalesce(sum(estimated_m3), 0.0) as estimated_m3,
        count(*) filter ("scope" = 'flat') as flats,
        count(*) filter ("scope" = 'house') as house_meters,
        sum(power(case "scope" when 'house' then norm.house_accuracy else norm.flat_accuracy end * measured_m3, 2)) as measured_sq,
        sum(power(norm.estimate_accuracy * estimated_m3, 2)) as estimated_sq,
        any_value(norm.common_use_share) as common_use_share,
        any_value(norm.assumption_accuracy) as assumption_accuracy,
        any_value(norm.tariff_rub_m3) as tariff_rub_m3
    from used
    cross join {{ ref('int_water_norm') }} as norm
    group by used.day, used.house_id, used.medium
)

select
    day,
    house_id,
    medium,
    zone_id,
    house_m3,
    flats_m3,
    cast(flats as bigint) as flats,
    estimated_m3,
    common_use_share * flats_m3 as common_m3,
    house_m3 - flats_m3 * (1 + common_use_share) as excess_m3,
    sqrt(
        coalesce(measured_sq, 0.0) + coalesce(estimated_sq, 0.0)
        + power(assumption_accuracy * common_use_share * flats_m3, 2)
    ) as excess_pm_m3,
    (house_m3 - flats_m3 * (1 + common_use_share)) * tariff_rub_m3 as excess_rub
from house
where house_meters > 0 and flats > 0
