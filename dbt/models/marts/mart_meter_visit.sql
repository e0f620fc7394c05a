select
    visit_id,
    visited_at,
    meter_key,
    house_id,
    zone_id,
    result,
    reading_m3
from {{ ref('stg_meter_visit') }}
qualify row_number() over (partition by visit_id order by received_at) = 1
