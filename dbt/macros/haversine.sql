{#-
  Great-circle distance in metres between two WGS 84 points, on a sphere of the mean radius 6 371 008.8 m (IUGG);
  null when a coordinate is (least() of a null would not be).
-#}
{% macro haversine_m(latitude_a, longitude_a, latitude_b, longitude_b) -%}
    case when {{ latitude_a }} + {{ longitude_a }} + {{ latitude_b }} + {{ longitude_b }} is not null then
        2 * 6371008.8 * asin(least(1.0, sqrt(
            pow(sin(radians({{ latitude_b }} - {{ latitude_a }}) / 2), 2)
            + cos(radians({{ latitude_a }})) * cos(radians({{ latitude_b }}))
            * pow(sin(radians({{ longitude_b }} - {{ longitude_a }}) / 2), 2)
        )))
    end
{%- endmacro %}
