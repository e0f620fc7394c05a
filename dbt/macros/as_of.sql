{#- The moment that "now" means: of the build, or the one that a test sets. -#}
{% macro as_of() -%}
    {%- if var('as_of') -%}timestamptz '{{ var("as_of") }}'{%- else -%}now(){%- endif -%}
{%- endmacro %}
