{#-
  How our incremental models find what to rebuild: by the segments that were loaded since the model's last build.

  A row is never changed or taken away in raw, only added, so the entities and days of the added rows are all
  that can differ; late rows come with their own day. `intermediate.built_through` keeps, for each incremental
  model, up to which load it has seen: the load that was newest when the build *began*, written when the build
  ends. A build that dies in between repeats work and loses nothing.
-#}

{% macro begin_build() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
    create schema if not exists {{ target.database }}.intermediate;
    create table if not exists {{ target.database }}.intermediate.built_through (
        model varchar, loaded_through timestamptz, built_at timestamptz
    );
    delete from {{ target.database }}.intermediate.built_through where model = '{{ invocation_id }}';
    insert into {{ target.database }}.intermediate.built_through
        select '{{ invocation_id }}', coalesce(max(loaded_at), timestamptz '2000-01-01 00:00:00+00'), now()
        from {{ target.database }}.ops.segment;
    {%- else -%}
    select 1
    {%- endif -%}
{%- endmacro %}

{% macro end_build(results) -%}
    {%- set built = [] -%}
    {%- for result in results
        if result.node.resource_type == 'model' and result.node.config.materialized == 'incremental'
        and result.status == 'success' -%}
        {%- do built.append("'" ~ result.node.name ~ "'") -%}
    {%- endfor -%}
    {%- set empty = flags.EMPTY | default(false) -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
    {%- if built and not empty %}
    create temporary table seen as
        select unnest([{{ built | join(', ') }}]) as model, loaded_through, now() as built_at
        from {{ target.database }}.intermediate.built_through where model = '{{ invocation_id }}';
    delete from {{ target.database }}.intermediate.built_through where model in (select model from seen);
    insert into {{ target.database }}.intermediate.built_through select * from seen;
    drop table seen;
    {%- endif %}
    delete from {{ target.database }}.intermediate.built_through where model = '{{ invocation_id }}';
    {%- else -%}
    select 1
    {%- endif -%}
{%- endmacro %}

{#- What came since the model's last build, as {since, first, last} (ISO texts); none: no news; {}: everything. -#}
{% macro news_of(feed) -%}
    {%- if not (execute and is_incremental()) -%}{{ return({}) }}{%- endif -%}
    {%- set through = run_query(
        "select max(loaded_through)::varchar from " ~ target.database ~ ".intermediate.built_through where model = '"
        ~ this.identifier ~ "'").columns[0].values()[0] -%}
    {%- if through is none -%}{{ return({}) }}{%- endif -%}
    {%- set loaded -%}
        select min_event_at as first, max_event_at as last from {{ target.database }}.ops.segment
        where feed = '{{ feed }}' and loaded_at > timestamptz '{{ through }}'
        {%- if feed == 'ingest_outcome' %}
        union all
        select event_at, event_at from {{ target.database }}.raw.ingest_outcome
        where {{ is_written_by_the_load(through) }}
        {%- endif %}
    {%- endset -%}
    {%- set found = run_query("select min(first)::varchar, max(last)::varchar from (" ~ loaded ~ ")").rows[0] -%}
    {%- if found[0] is none -%}{{ return(none) }}{%- endif -%}
    {{ return({"since": through, "first": found[0], "last": found[1]}) }}
{%- endmacro %}

{#- The load's own outcome rows come from no segment (warehouse.load writes them beside its transactions). -#}
{% macro is_written_by_the_load(since) -%}
    (segment = 'direct' and received_at > timestamptz '{{ since }}')
{%- endmacro %}

{#- SQL condition on a staging model: the row came since the model's last build. -#}
{% macro is_new(feed) -%}
    {%- set news = news_of(feed) -%}
    {%- if news is none -%}
        false
    {%- elif news == {} -%}
        true
    {%- else -%}
        (
            segment in (
                select segment from {{ source('ops', 'segment') }}
                where feed = '{{ feed }}' and loaded_at > timestamptz '{{ news.since }}'
            )
            {%- if feed == 'ingest_outcome' %}
            or {{ is_written_by_the_load(news.since) }}
            {%- endif %}
        )
        and event_at between timestamptz '{{ news.first }}' and timestamptz '{{ news.last }}'
    {%- endif -%}
{%- endmacro %}

{#-
  SQL condition on a staging model: the row lies in the span of whole local days that the news touch, widened
  by `before_s` and `after_s` seconds. Literals, so that DuckLake prunes files by their statistics.
-#}
{% macro in_days_of_news(feed, before_s=0, after_s=0) -%}
    {%- set news = news_of(feed) -%}
    {%- if news is none -%}
        false
    {%- elif news == {} -%}
        true
    {%- else -%}
        {%- set first = local_day("timestamptz '" ~ news.first ~ "'") -%}
        {%- set last = local_day("timestamptz '" ~ news.last ~ "'") -%}
        {%- set bounds = run_query(
            "select (" ~ day_start(first) ~ " - interval " ~ before_s ~ " second)::varchar, ("
            ~ day_end(last) ~ " + interval " ~ after_s ~ " second)::varchar").rows[0] -%}
        event_at >= timestamptz '{{ bounds[0] }}' and event_at < timestamptz '{{ bounds[1] }}'
    {%- endif -%}
{%- endmacro %}
