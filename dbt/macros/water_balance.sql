{#-
  The IWA standard water balance (Lambert and Hirner, 2000) of rows that have, for a zone and a period:
  zone_id, period, days, system_input_m3, system_input_sq, metered_m3, estimated_m3, metered_sq, estimated_sq.
  `*_sq` are sums of squared 95 % half-widths, m3²: independent errors add in quadrature.

  system input = authorised + apparent losses + real losses, so real losses take what is left:
    authorised = billed metered (measured and estimated) + billed unmetered + unbilled (a share of the input)
    apparent   = unauthorised (a share of the input) + what meters miss: m · u / (1 − u), u of the true flow
  UARL, l/day = (18·Lm + 0.8·Nc + 25·Lp)·P (Lambert et al., AQUA 48(6), 1999): Lm km of mains, Nc connections,
  Lp km of pipe from the property line to the meter, P m of pressure. ILI = CARL / UARL.
-#}
{% macro water_balance(source, period) -%}
    with terms as (
        select
            source.*,
            coalesce(source.metered_m3, 0.0) + coalesce(source.estimated_m3, 0.0) as billed_metered_m3,
            coalesce(zone.billed_unmetered_m3_day, 0.0) * source.days as billed_unmetered_m3,
            norm.unbilled_share * source.system_input_m3 as unbilled_m3,
            norm.unauthorised_share * source.system_input_m3 as unauthorised_m3,
            (coalesce(source.metered_m3, 0.0) + coalesce(source.estimated_m3, 0.0))
            * norm.under_registration_share / (1 - norm.under_registration_share) as under_registered_m3,
            norm.assumption_accuracy,
            norm.tariff_rub_m3,
            zone.connections,
            (18 * zone.mains_km + 0.8 * zone.connections + 25 * zone.private_km) * zone.pressure_m as uarl_l_day
        from {{ source }} as source
        cross join {{ ref('int_water_norm') }} as norm
        left join {{ ref('int_water_zone') }} as zone using (zone_id)
        -- a zone of which nobody tells any use has no balance: its input is not all a loss
        where source.metered_m3 is not null or zone.billed_unmetered_m3_day > 0
    ),

    summed as (
        select
            *,
            billed_metered_m3 + billed_unmetered_m3 + unbilled_m3 as authorised_m3,
            unauthorised_m3 + under_registered_m3 as apparent_m3,
            coalesce(metered_sq, 0.0) + coalesce(estimated_sq, 0.0)
            + power(assumption_accuracy * billed_unmetered_m3, 2) as billed_sq,
            power(assumption_accuracy * unbilled_m3, 2) as unbilled_sq,
            power(assumption_accuracy * unauthorised_m3, 2) + power(assumption_accuracy * under_registered_m3, 2)
                as apparent_sq
        from terms
    ),

    closed as (
        select
            *,
            system_input_m3 - authorised_m3 - apparent_m3 as real_m3,
            system_input_m3 - billed_metered_m3 - billed_unmetered_m3 as nrw_m3,
            sqrt(system_input_sq + billed_sq) as nrw_pm,
            sqrt(system_input_sq + billed_sq + unbilled_sq) as losses_pm,
            sqrt(system_input_sq + billed_sq + unbilled_sq + apparent_sq) as real_pm
        from summed
    )

    select
        {{ period }},
        zone_id,
        cast(days as bigint) as days,
        system_input_m3,
        sqrt(system_input_sq) as system_input_pm_m3,
        billed_metered_m3,
        billed_unmetered_m3,
        unbilled_m3,
        authorised_m3,
        sqrt(billed_sq + unbilled_sq) as authorised_pm_m3,
        unauthorised_m3,
        under_registered_m3,
        apparent_m3,
        sqrt(apparent_sq) as apparent_pm_m3,
        real_m3,
        real_m3 - real_pm as real_low_m3,
        real_m3 + real_pm as real_high_m3,
        real_m3 + apparent_m3 as losses_m3,
        real_m3 + apparent_m3 - losses_pm as losses_low_m3,
        real_m3 + apparent_m3 + losses_pm as losses_high_m3,
        nrw_m3,
        nrw_m3 - nrw_pm as nrw_low_m3,
        nrw_m3 + nrw_pm as nrw_high_m3,
        case when system_input_m3 > 0 then nrw_m3 / system_input_m3 end as nrw_share,
        (real_m3 + apparent_m3) * tariff_rub_m3 as losses_rub,
        coalesce(estimated_m3, 0.0) as estimated_m3,
        case when billed_metered_m3 > 0 then coalesce(estimated_m3, 0.0) / billed_metered_m3 end as estimated_share,
        case when connections > 0 and days > 0 then greatest(real_m3, 0) * 1000 / days / connections end
            as carl_l_connection_day,
        uarl_l_day,
        case when uarl_l_day > 0 and days > 0 then greatest(real_m3, 0) * 1000 / days / uarl_l_day end as ili
    from closed
{%- endmacro %}

{#-
  CTE `span`: first and last day that news of meters (and of flows) can change, of an incremental model. A reading
  changes the days back to the reading before it (at most reading_gap_days), and a meter's habit is used for 30 days.
-#}
{% macro meter_span(with_flow=false) -%}
    news as (
        select meter_key, min(day) as first_day, max(day) as last_day
        from (
            select distinct {{ pseudonym('meter_id') }} as meter_key, day
            from (
                select distinct meter_id, {{ local_day('event_at') }} as day
                from {{ ref('stg_meter_reading') }}
                where {{ is_new('meter_reading') }}
            )
        )
        group by meter_key
    ),

    span as (
        select min(first_day) as first_day, max(last_day) as last_day
        from (
            select
                coalesce(max(known.day) filter (known.readings > 0 and known.day < news.first_day), news.first_day)
                    as first_day,
                news.last_day + {{ var('reading_gap_days') + 1 }} as last_day
            from news
            left join {{ ref('mart_meter_day') }} as known
                on known.meter_key = news.meter_key
                and known.day between news.first_day - {{ var('reading_gap_days') + 1 }} and news.first_day
            group by news.meter_key, news.first_day, news.last_day
            {%- if with_flow %}
            union all
            select
                min({{ local_day('event_at') }}) - 1,
                max({{ local_day('event_at') }}) + 31
            from {{ ref('stg_scada_reading') }}
            where {{ is_new('scada_reading') }}
            {%- endif %}
        )
    ),
{%- endmacro %}

{#- SQL condition: the day lies in `span`, widened; true in a full build. -#}
{% macro in_span(day, before=0, after=0) -%}
    {%- if is_incremental() -%}
    {{ day }} between (select first_day from span) - {{ before }} and (select last_day from span) + {{ after }}
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
