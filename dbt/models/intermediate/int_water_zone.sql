-- one row per district metered area: what the city says of its network (water.toml, buildings)

with zones as (
    select unnest(cast(cast(coalesce(getvariable('water'), '{}') as json) -> 'zones' as json[])) as zone
)

select
    zone ->> 'zone_id' as zone_id,
    cast(zone ->> 'mains_km' as double) as mains_km,
    cast(zone ->> 'connections' as bigint) as connections,
    cast(zone ->> 'private_km' as double) as private_km,
    cast(zone ->> 'pressure_m' as double) as pressure_m,
    cast(zone ->> 'residents' as bigint) as residents,
    coalesce(cast(zone ->> 'billed_unmetered_m3_day' as double), 0.0) as billed_unmetered_m3_day,
    coalesce(cast(zone ->> 'night_exception_m3_h' as double), 0.0) as night_exception_m3_h
from zones
where zone is not null
