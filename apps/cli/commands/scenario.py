"""`gorodok scenario check|explain|simulate`: is a scenario right, what does it say, what would have happened."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from actuation.scenario.event import Event, Trust
from actuation.scenario.explain import explain as explained
from actuation.scenario.load import check_against, load_scenarios, read_scenario
from actuation.scenario.model import Scenario
from actuation.scenario.program import Program
from actuation.scenario.town import load_town
from apps.cli.output import BAD, NO, fail, out, print_json, print_table
from city.problem import CityError, Problem
from city.profile import City, load_city
from city.settings import settings

PARTS = {"when": ("Когда", "When"), "then": ("Что делается", "What is done"), "end": ("Чем кончается", "How it ends"),
         "drill": ("Проверка", "Drill")}  # fmt: skip
COLUMNS = ("at", "what", "mode", "scenario", "target", "detail", "until")

Files = Annotated[
    list[Path] | None, typer.Argument(help="Файлы, без них все сценарии города / Files; none: all of the city")
]
Json = Annotated[bool, typer.Option("--json", help="В JSON / As JSON")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Сценарии / Scenarios: from an event to what is done", no_args_is_help=True)
    group.command("check", help="Проверить / Find what is wrong with scenarios")(check)
    group.command("explain", help="Объяснить простыми словами / Say in plain words what happens")(explain)
    group.command("simulate", help="Что было бы / What would happen: given events, or past ones")(simulate)
    app.add_typer(group, name="scenario")


def check(files: Files = None, as_json: Json = False) -> None:
    """Exit code 0: nothing is wrong; 1: something is; 2: the city's folder cannot be read."""
    city = _city()
    problems = _problems(city, files)
    if as_json:
        print_json({"city": city.code, "problems": [problem.as_dict() for problem in problems]})
    elif problems:
        print_table([problem.as_dict() for problem in problems], ("file", "key", "value", "remedy"))
    else:
        out.print("Ошибок нет / Nothing is wrong")
    if problems:
        raise typer.Exit(NO)


def explain(files: Files = None, as_json: Json = False) -> None:
    """Exit code 0: said; 2: a file is wrong."""
    scenarios = _scenarios(_city(), files)
    if as_json:
        print_json(
            [
                {
                    "scenario": each.scenario,
                    "version": each.version,
                    "title": {"ru": each.title.ru, "en": each.title.en},
                    "mode": each.mode,
                    "said": [{"part": one.part, "ru": one.ru, "en": one.en} for one in explained(each)],
                }
                for each in scenarios
            ]
        )
        return
    for each in scenarios:
        out.print(f"\n{each.title.ru} / {each.title.en}", style="bold", markup=False)
        out.print(f"{each.scenario} {each.version} {each.mode}", style="dim", markup=False)
        part = ""
        for one in explained(each):
            if one.part != part:
                out.print(f"{PARTS[one.part][0]} / {PARTS[one.part][1]}", style="cyan", markup=False)
                part = one.part
            out.print(f"  {one.ru}", markup=False)
            out.print(f"  {one.en}", style="dim", markup=False)


def simulate(
    files: Files = None,
    events: Annotated[
        Path | None,
        typer.Option(help="JSON по строке: события или сообщения контрактов, - stdin / JSON lines: events or messages"),
    ] = None,
    at: Annotated[
        tuple[str, str] | None,
        typer.Option(help="События хранилища с T1 по T2 / The lake's events from T1 to T2, RFC 3339"),
    ] = None,
    trust: Annotated[
        str, typer.Option(help="Насколько верить сообщениям / Of messages: verified | trusted | none")
    ] = "verified",
    as_json: Json = False,
) -> None:
    """Exit code 0: printed; 1: no lake yet; 2: wrong usage, events or scenario. Nothing is sent anywhere."""
    from actuation.scenario.messages import read_events
    from actuation.scenario.simulate import simulate as timeline

    if (events is None) == (at is None):
        fail("--events, --at: give one of the two", "gorodok scenario simulate FILE --events EVENTS.jsonl", BAD)
    if trust not in ("verified", "trusted", "none"):
        fail(f"--trust: {trust!r} is unknown", "use verified, trusted or none", BAD)
    city = _city()
    program = Program.of(_scenarios(city, files), load_town(city))
    vouched: Trust = trust  # type: ignore[assignment]
    if at is not None:
        found = _landed(city, program, _moment(at[0]), _moment(at[1]), vouched)
    else:
        assert events is not None
        try:
            lines = sys.stdin.readlines() if str(events) == "-" else events.read_text(encoding="utf-8").splitlines()
            found = list(read_events(lines, city, vouched, str(events)))
        except OSError as error:
            fail(f"--events: {error}", "give a file of JSON lines", BAD)
        except CityError as error:
            fail(str(error), code=BAD)
    _print(list(timeline(program, found)), as_json)


def _print(lines: list[Any], as_json: bool) -> None:
    from actuation.scenario.messages import event_to_json
    from actuation.scenario.simulate import said

    if as_json:
        print_json(
            [
                {"at": line.at, "event": event_to_json(line.event), "effects": [said(each) for each in line.effects]}
                for line in lines
            ]
        )
        return
    rows: list[dict[str, Any]] = []
    for line in lines:
        if line.event.kind != "tick":
            word = f"▶ {line.event.kind}"
            rows.append({"at": line.at, "what": word, "mode": line.event.trust, "detail": line.event.key[:60]})
        rows += [{"at": line.at, **said(each)} for each in line.effects]
    print_table(rows_of(rows), COLUMNS)


def rows_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{column: row.get(column) for column in COLUMNS} for row in rows]


def _landed(city: City, program: Program, since: datetime, until: datetime, trust: Trust) -> list[Event]:
    """The lake's messages of the feeds that scenarios look at, by their own time."""
    import duckdb

    from actuation.scenario.messages import event_of
    from ingest.contracts import CONTRACTS
    from warehouse.lake import LakeMissingError
    from warehouse.read import query

    feeds = sorted({"alert", "camera_event", "incident", *program.feeds} & set(CONTRACTS))
    found: list[Event] = []
    for feed in feeds:
        contract = CONTRACTS[feed]
        time = contract.spec.event_time
        columns = ", ".join(f'"{name}"' for name in contract.model_fields)
        sql = f'SELECT {columns} FROM raw.{feed} WHERE "{time}" BETWEEN ? AND ? ORDER BY "{time}"'  # noqa: S608 contracts' names
        try:
            rows = query(settings(), sql, [since, until]).to_dicts()
        except LakeMissingError as error:
            fail(str(error), code=NO)
        except duckdb.CatalogException:
            continue
        found += [event_of(feed, _message(contract, row), city, trust) for row in rows]
    return found


def _message(contract: Any, row: dict[str, Any]) -> dict[str, Any]:
    """A row as its message: nested parts are JSON text in the lake, times are naive UTC."""
    import json

    message = {}
    for name, value in row.items():
        kept = value
        if isinstance(value, datetime) and value.tzinfo is None:
            kept = value.replace(tzinfo=UTC)
        elif isinstance(value, str) and value[:1] in "[{" and "list" in str(contract.model_fields[name].annotation):
            kept = json.loads(value)
        if kept is not None:
            message[name] = kept.isoformat() if isinstance(kept, datetime) else kept
    return message


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at: {text!r} is not a time", "write it as 2026-11-24T14:05:00+03:00", BAD)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _city() -> City:
    try:
        return load_city(settings())
    except CityError as error:
        fail(str(error), "gorodok city check lists every problem", BAD)


def _scenarios(city: City, files: list[Path] | None) -> list[Scenario]:
    try:
        if not files:
            return list(load_scenarios(city).scenarios.values())
        return [read_scenario(path) for path in files]
    except OSError as error:
        fail(str(error), "give a scenario's YAML file", BAD)
    except CityError as error:
        fail(str(error), "gorodok scenario check lists every problem", BAD)


def _problems(city: City, files: list[Path] | None) -> list[Problem]:
    from actuation.scenario.load import scenario_problems

    if not files:
        return scenario_problems(city)
    town, problems = load_town(city), []
    for path in files:
        try:
            problems += list(check_against(read_scenario(path), town, path.name))
        except CityError as error:
            problems += error.problems
        except OSError as error:
            fail(str(error), "give a scenario's YAML file", BAD)
    return problems
