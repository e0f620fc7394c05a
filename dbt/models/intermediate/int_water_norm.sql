-- one row: the city's norms for water (city.toml, norms.water), which the runner hands to the session as JSON

with facts as (
    select cast(coalesce(getvariable('water'), '{}') as json) -> 'norms' as norms
)

select
    coalesce(cast(norms ->> 'tariff_rub_m3' as double), 35.0) as tariff_rub_m3,
    coalesce(cast(norms ->> 'inlet_accuracy' as double), 0.02) as inlet_accuracy,
    coalesce(cast(norms ->> 'house_accuracy' as double), 0.03) as house_accuracy,
    coalesce(cast(norms ->> 'flat_accuracy' as double), 0.05) as flat_accuracy,
    coalesce(cast(norms ->> 'estimate_accuracy' as double), 0.5) as estimate_accuracy,
    coalesce(cast(norms ->> 'assumption_accuracy' as double), 0.5) as assumption_accuracy,
    coalesce(cast(norms ->> 'unbilled_share' as double), 0.005) as unbilled_share,
    coalesce(cast(norms ->> 'unauthorised_share' as double), 0.0025) as unauthorised_share,
    coalesce(cast(norms ->> 'under_registration_share' as double), 0.02) as under_registration_share,
    coalesce(cast(norms ->> 'common_use_share' as double), 0.03) as common_use_share,
    coalesce(cast(norms ->> 'night_use_l_person_h' as double), 0.6) as night_use_l_person_h,
    coalesce(cast(norms ->> 'night_day_factor_h' as double), 24.0) as night_day_factor_h,
    cast(left(coalesce(norms ->> 'night_from', '02:00'), 2) as integer) as night_from_h,
    cast(left(coalesce(norms ->> 'night_until', '05:00'), 2) as integer) as night_until_h
from facts
