{#- The city's calendar day of a moment: the day of every KPI and of every `*_day` table. -#}
{% macro local_day(moment) -%}
    cast(timezone('{{ var("tz") }}', {{ moment }}) as date)
{%- endmacro %}

{#- The clock on the city's wall, without an offset. -#}
{% macro local_clock(moment) -%}
    timezone('{{ var("tz") }}', {{ moment }})
{%- endmacro %}

{#- First moment of a local day; a day may last 23 or 25 hours where the zone has summer time. -#}
{% macro day_start(day) -%}
    timezone('{{ var("tz") }}', cast({{ day }} as timestamp))
{%- endmacro %}

{% macro day_end(day) -%}
    timezone('{{ var("tz") }}', cast({{ day }} as timestamp) + interval 1 day)
{%- endmacro %}

{#- Seconds between two moments, with fractions. -#}
{% macro seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1e6
{%- endmacro %}

{#- The moment when the city's clock shows an hour of a day, for example 02:00. -#}
{% macro moment_of_day(day, hour) -%}
    timezone('{{ var("tz") }}', cast({{ day }} as timestamp) + interval {{ hour }} hour)
{%- endmacro %}

{#- Seconds that two spans share; 0 when they do not meet. -#}
{% macro overlap_s(a_from, a_to, b_from, b_to) -%}
    greatest(0.0, {{ seconds_between('greatest(' ~ a_from ~ ', ' ~ b_from ~ ')', 'least(' ~ a_to ~ ', ' ~ b_to ~ ')') }})
{%- endmacro %}
