{% set domains = ['transit', 'water', 'appeals', 'cameras', 'alerts', 'platform'] %}

with measured as (
    {% for domain in domains -%}
    select day, code, cast(numerator as double) as numerator, cast(denominator as double) as denominator
    from {{ ref('int_kpi_' ~ domain ~ '_day') }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

catalogue as (
    select * from {{ ref('kpi_catalogue') }}
)

select
    '{{ var("city") }}' as city,
    measured.day,
    measured.code,
    -- nothing to divide by means not known, never zero
    case
        when measured.denominator = 0 or measured.denominator is null then null
        when catalogue.kind = 'ratio' then catalogue.factor * measured.numerator / measured.denominator
        else catalogue.factor * measured.numerator
    end as value,
    catalogue.unit,
    measured.numerator,
    measured.denominator,
    catalogue.target,
    catalogue.better,
    catalogue.source
from measured
inner join catalogue using (code)
