"""`gorodok water survey`: the houses that an inspector should see, in walking order. Suspicions, never verdicts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.output import NO, fail, print_json, print_table
from apps.cli.suspected import suspected
from city.settings import Settings, settings
from domains.water.survey import Stop


def register(app: typer.Typer) -> None:
    app.command("survey", help="Обход: подозрения по счётчикам и маршрут / Meter survey: suspicions and a walk")(survey)


def survey(
    stops: Annotated[int, typer.Option(min=1, max=100, help="Остановок не больше / Stops at the most")] = 15,
    rub_per_km: Annotated[float, typer.Option(min=0, help="Сколько стоит километр / What a kilometre costs, ₽")] = 50.0,
    as_json: Annotated[bool, typer.Option("--json", help="Вывод в JSON / As JSON")] = False,
) -> None:
    """Exit code 0: told (an empty walk too); 1: the lake has no marts yet; 2: wrong usage."""
    import duckdb

    from warehouse.lake import LakeMissingError

    try:
        walk = _walk(settings(), stops, rub_per_km)
    except LakeMissingError as error:
        fail(str(error), code=NO)
    except duckdb.CatalogException:
        fail("the lake has no house balance yet", "Build it: gorodok build", code=NO)
    russian = settings().language == "ru"
    rows: list[dict[str, Any]] = [
        {
            "stop": number, "house_id": one.suspicion.house_id, "zone_id": one.suspicion.zone_id,
            "expected_rub": round(one.suspicion.expected_rub), "metres": round(one.metres),
            "kinds": list(one.suspicion.kinds), "meter_keys": list(one.suspicion.meter_keys),
            "reasons_ru": [ru for ru, _ in one.suspicion.reasons],
            "reasons_en": [en for _, en in one.suspicion.reasons],
            "latitude": one.place[0], "longitude": one.place[1],
        }
        for number, one in enumerate(walk, 1)
    ]  # fmt: skip
    if as_json:
        print_json({"city": settings().city, "stops": rows})
        return
    told = "reasons_ru" if russian else "reasons_en"
    print_table(
        [(row["stop"], row["house_id"], row["expected_rub"], row["metres"], "; ".join(row[told])) for row in rows],
        ("№", "дом / house", "₽", "м / m", "почему / why"),
    )


def _walk(where: Settings, stops: int, rub_per_km: float) -> list[Stop]:
    from city.geometry import features
    from city.profile import load_city
    from domains.water.survey import plan_route

    city = load_city(where)
    found = suspected(where, city)
    places = {one.properties.building_id: one.geometry.centroid for one in features(city, "buildings")}
    return plan_route(
        found,
        {name: (place.y, place.x) for name, place in places.items()},
        start=(city.centre.latitude, city.centre.longitude),
        stops=stops,
        rub_per_km=rub_per_km,
    )
