"""`gorodok survey`: an inspector's route with its link, and the server that gives the form and takes the visits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import NO, fail, print_json, print_table
from apps.cli.suspected import suspected
from city.settings import Settings, settings

if TYPE_CHECKING:
    from apps.web.survey.routes import StopCard

INSPECTOR = typer.Option(help="Фамилия инспектора / Inspector's name")


def register(app: typer.Typer) -> None:
    survey = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
    survey.command("serve", help="Сервер формы обхода / Serve the survey form")(serve)
    survey.command("route", help="Маршрут инспектора и ссылка на него / An inspector's route and its link")(route)
    app.add_typer(survey, name="survey", help="Обход счётчиков с телефоном / Meter survey by phone")


def serve() -> None:
    """On GORODOK_HOST and GORODOK_SURVEY_PORT, in the foreground. Phones reach it by a proxy with TLS."""
    import uvicorn

    from apps.web.survey.app import build

    found = settings()
    uvicorn.run(build(found), host=found.host, port=found.survey_port, log_level="warning", access_log=False)


def route(
    inspector: Annotated[str, INSPECTOR],
    zone: Annotated[str | None, typer.Option(help="Зона учёта / District metered area; all by default")] = None,
    stops: Annotated[int, typer.Option(min=1, max=60, help="Не больше адресов / At most so many addresses")] = 15,
    base: Annotated[
        str | None, typer.Option(help="Адрес сервера снаружи / The server's outer address, https://…")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Вывод в JSON / As JSON")] = False,
) -> None:
    """Exit code 0: the link is told, once; 1: nothing to visit; 2: wrong usage."""
    from apps.web.survey.routes import LASTS, Route, RouteBook

    found, now = settings(), datetime.now(UTC)
    cards = _cards(found, zone, stops)
    if not cards:
        fail("no house and no meter is suspected", "Load readings, then gorodok build", code=NO)
    made = Route(inspector=inspector, city=found.city, made_at=now, expires_at=now + LASTS, stops=cards)
    token = RouteBook(found).add(made)
    link = f"{(base or f'http://{found.host}:{found.survey_port}').rstrip('/')}/r/{token}"
    if as_json:
        print_json({"link": link, "expires_at": made.expires_at, "stops": [card.model_dump() for card in cards]})
        return
    rows = [(str(number), card.address, f"{card.expected_rub:,.0f} ₽", f"{card.metres:,.0f} м")
            for number, card in enumerate(cards, 1)]  # fmt: skip
    print_table(rows, ("№", "адрес / address", "польза / worth", "путь / way"), title=inspector)
    typer.echo(link)


def _cards(where: Settings, zone: str | None, stops: int) -> list[StopCard]:
    """The walk of most roubles from the town's middle, as cards for the phone."""
    import duckdb

    from apps.web.survey.routes import StopCard
    from city.geometry import features
    from city.profile import load_city
    from domains.water.survey import plan_route
    from warehouse.lake import LakeMissingError

    city = load_city(where)
    try:
        found = suspected(where, city)
    except (LakeMissingError, duckdb.CatalogException):
        fail("the lake has no house balance yet", "Build it: gorodok build", code=NO)
    buildings = {one.properties.building_id: one for one in features(city, "buildings")}
    places = {code: (one.geometry.centroid.y, one.geometry.centroid.x) for code, one in buildings.items()}
    if not places:
        return []
    start = (sum(lat for lat, _ in places.values()) / len(places), sum(lon for _, lon in places.values()) / len(places))
    mine = [one for one in found if zone is None or one.zone_id == zone]
    return [
        StopCard(
            house_id=stop.suspicion.house_id,
            zone_id=stop.suspicion.zone_id,
            address=buildings[stop.suspicion.house_id].properties.address or stop.suspicion.house_id,
            reasons_ru=[pair[0] for pair in stop.suspicion.reasons],
            reasons_en=[pair[1] for pair in stop.suspicion.reasons],
            expected_rub=stop.suspicion.expected_rub,
            metres=stop.metres,
            meters=len(stop.suspicion.meter_keys),
        )
        for stop in plan_route(mine, places, start=start, stops=stops)
    ]
