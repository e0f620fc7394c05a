"""What the survey commands start from: the houses and meters of the lake that an inspector should see."""

from __future__ import annotations

from city.profile import City
from city.settings import Settings
from domains.water.survey import LOOK_DAYS, Suspicion, suspicions

HOUSES = f"""
SELECT * FROM marts.mart_house_balance_day
WHERE day > (SELECT max(day) FROM marts.mart_house_balance_day) - {LOOK_DAYS}
"""  # noqa: S608 - a number of ours
FLAGS = "SELECT * FROM marts.mart_meter_flag WHERE is_open"


def suspected(where: Settings, city: City) -> list[Suspicion]:
    """The most roubles first. Raises LakeMissingError, or duckdb.CatalogException while the marts are not built."""
    from warehouse.read import query

    return suspicions(query(where, HOUSES), query(where, FLAGS), tariff_rub_m3=city.norms.water.tariff_rub_m3)
