{#-
  Keyed pseudonym of a personal value: 16 hex digits, the same for the same value and key; null stays null.
  Nested keyed SHA-256 (key || sha256(key || value)), because DuckDB has no HMAC and the nesting closes
  SHA-256's length extension. The key is a session variable (plugins/gorodok_session.py): a session without
  it, such as a page's, reads null where a person would be.
-#}
{% macro pseudonym(expression) -%}
    left(sha256(getvariable('pseudonym_key') || sha256(getvariable('pseudonym_key') || ({{ expression }}))), 16)
{%- endmacro %}
