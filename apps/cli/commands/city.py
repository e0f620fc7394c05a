"""`gorodok city new|check`: begin a city's folder, and find what is wrong with one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import BAD, NO, fail, out, print_json, print_table
from city.check import check_city
from city.problem import CityError, Problem
from city.profile import read_profile
from city.scaffold import new_city
from city.settings import settings

COLUMNS = ("file", "key", "value", "remedy")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Папка города / A city's folder", no_args_is_help=True)
    group.command("new", help="Создать папку города / Begin a city's folder")(new)
    group.command("check", help="Проверить папку города / Find what is wrong with a city's folder")(check)
    app.add_typer(group, name="city")


def new(
    name: Annotated[str, typer.Argument(help="Имя папки / Name of the folder under cities/")],
    latitude: Annotated[float, typer.Option(min=-85, max=85, help="Центр, градусы / Centre, degrees")] = 55.75,
    longitude: Annotated[float, typer.Option(min=-179, max=179, help="Центр, градусы / Centre, degrees")] = 37.62,
    as_json: Annotated[bool, typer.Option("--json", help="Файлы в JSON / The files as JSON")] = False,
) -> None:
    """Exit code 0: made; 2: the name is wrong or taken."""
    try:
        files = new_city(settings().cities_dir, name, latitude, longitude)
    except CityError as error:
        problem = error.problems[0]
        fail(f"{problem.key}: {problem.value}", problem.remedy, BAD)
    if as_json:
        print_json({"city": name, "files": files})
        return
    print_table([[path] for path in files], ["file"])
    out.print(f"Дальше / Next: gorodok city check {name}; GORODOK_CITY={name}")


def check(
    name: Annotated[str | None, typer.Argument(help="Имя папки, без него GORODOK_CITY / Folder under cities/")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Находки в JSON / Findings as JSON")] = False,
) -> None:
    """Exit code 0: nothing is wrong; 1: something is; 2: no such folder."""
    code = name or settings().city
    folder = settings().cities_dir / code
    if not folder.is_dir():
        fail(f"NAME: no folder {folder}", f"gorodok city new {code} makes one", BAD)
    problems = check_city(folder) or _scenarios(folder)
    if as_json:
        print_json({"city": code, "problems": [problem.as_dict() for problem in problems]})
    elif problems:
        print_table([problem.as_dict() for problem in problems], COLUMNS, f"{code}: {len(problems)}")
    else:
        out.print(f"{code}: ошибок нет / nothing is wrong")
    if problems:
        raise typer.Exit(NO)


def _scenarios(folder: Path) -> list[Problem]:
    """Scenarios are checked against layers that are right; the room `city` knows nothing of them."""
    from actuation.scenario.load import scenario_problems

    return scenario_problems(read_profile(folder))
