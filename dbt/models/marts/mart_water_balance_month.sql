with months as (
    select * from {{ ref('int_balance_zone_month') }}
),

balance as (
    {{ water_balance('months', 'month') }}
)

select * from balance
