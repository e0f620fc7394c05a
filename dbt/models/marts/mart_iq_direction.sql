select
    direction.version,
    direction.code as direction,
    direction.name_ru,
    count(*) as indicators,
    count(indicator.value) as covered,
    count(indicator.value) / count(*) as coverage
from {{ ref('iq_direction') }} as direction
inner join {{ ref('mart_iq_indicator') }} as indicator
    on indicator.version = direction.version and indicator.direction = direction.code
group by direction.version, direction.code, direction.name_ru
