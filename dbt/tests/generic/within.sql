{#- Every value that is there lies within its column's [low, high]; null leaves a side open. One query a model. -#}
{% test within(model, ranges) %}
{% for column, bounds in ranges.items() -%}
select '{{ column }}' as column_name, {{ column }} as found
from {{ model }}
where false
    {%- if bounds[0] is not none %} or {{ column }} < {{ bounds[0] }}{% endif %}
    {%- if bounds[1] is not none %} or {{ column }} > {{ bounds[1] }}{% endif %}
{% if not loop.last %}union all{% endif %}
{% endfor %}
{% endtest %}
