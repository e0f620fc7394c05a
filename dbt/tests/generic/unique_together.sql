{#- The columns name one row. (DuckLake has no UNIQUE, so the grain is a test.) -#}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}, count(*) as times
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
