with alerts as (
    select *, from_json(coalesce(info, '[]'), '["JSON"]') as infos
    from {{ ref('stg_alert') }}
),

-- one <info> a message: the Russian one where there is one, else the first
chosen as (
    select
        *,
        coalesce(list_filter(infos, lambda one: json_extract_string(one, '$.language') ilike 'ru%')[1], infos[1]) as part
    from alerts
)

select
    sender,
    identifier,
    sent_at,
    "status",
    msg_type,
    "scope",
    json_extract_string(part, '$.event') as event,
    json_extract_string(part, '$.severity') as severity,
    json_extract_string(part, '$.urgency') as urgency,
    json_extract_string(part, '$.certainty') as certainty,
    json_extract_string(part, '$.language') as language,
    json_extract_string(part, '$.headline') as headline,
    try_cast(json_extract_string(part, '$.expires') as timestamptz) as expires_at,
    nullif(array_to_string(json_extract_string(part, '$.area[*].areaDesc'), '; '), '') as area_desc,
    -- CAP's own text form "lat,lon lat,lon …", a JSON array of them
    cast(to_json(coalesce(json_extract_string(part, '$.area[*].polygon[*]'), [])) as varchar) as polygons
from chosen
