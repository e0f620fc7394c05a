with inlets as (
    select flow.zone_id, flow.day, sum(power(norm.inlet_accuracy * flow.net_m3, 2)) as system_input_sq
    from (
        select zone_id, day, sensor_id, sum(case role when 'inlet' then volume_m3 else -volume_m3 end) as net_m3
        from {{ ref('int_flow_day') }}
        where zone_id is not null
        group by zone_id, day, sensor_id
    ) as flow
    cross join {{ ref('int_water_norm') }} as norm
    group by flow.zone_id, flow.day
),

days as (
    select
        zone.day,
        zone.zone_id,
        1 as days,
        zone.inflow_m3 as system_input_m3,
        inlets.system_input_sq,
        metered.metered_m3,
        metered.estimated_m3,
        metered.metered_sq,
        metered.estimated_sq
    from {{ ref('mart_zone_day') }} as zone
    inner join inlets on inlets.zone_id = zone.zone_id and inlets.day = zone.day
    left join {{ ref('int_balance_zone_day') }} as metered
        on metered.zone_id = zone.zone_id and metered.day = zone.day
    where zone.covered_share >= {{ var('zone_covered_share') }}
),

balance as (
    {{ water_balance('days', 'day') }}
)

select * from balance
