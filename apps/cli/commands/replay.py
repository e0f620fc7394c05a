"""`gorodok replay`: real files through the same contracts as live feeds."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from apps.cli.output import fail, print_json, print_table
from city.settings import settings
from ingest.adapters.outlet import OutletError, outlet
from ingest.broker.address import parse_address
from ingest.replay import ReplayOptions, formats
from ingest.replay.play import Played, play


def register(app: typer.Typer) -> None:
    app.command("replay", help="Проиграть файлы через те же контракты / Play real files through the same contracts")(
        replay
    )


def replay(
    name: Annotated[str, typer.Argument(metavar="FORMAT", help="Формат / Format: " + ", ".join(formats()))],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Файлы / Files")],
    *,
    speed: Annotated[
        str, typer.Option(help="max, или во столько раз быстрее жизни / max, or so many times faster than life")
    ] = "max",
    via: Annotated[
        str | None,
        typer.Option(
            help="mqtt (через брокер / by the broker) | landing (прямо / straight); "
            "без ключа: mqtt, если брокер отвечает / when omitted: mqtt where a broker answers"
        ),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Пояс времени файла без смещения / Zone of the file's naive times")
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(help="scada-csv: flow_m3_h | pressure_m | level_m, для всех столбцов / for all columns"),
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="scada-csv: столбец=роль / COLUMN=inlet|outlet|internal (repeatable)")
    ] = None,
    zone_id: Annotated[str | None, typer.Option(help="Зона учёта / District metered area of the file")] = None,
    medium: Annotated[str, typer.Option(help="meters-csv: cold_water | hot_water")] = "cold_water",
    as_json: Annotated[bool, typer.Option("--json", help="Итог в JSON / Summary as JSON")] = False,
) -> None:
    """Exit code 0: played; 1: nothing of it could be read, or it is not safe; 2: wrong usage."""
    via = via or _way()
    _check(name, files, via)
    options = _options(time_zone, quantity, role or [], zone_id, medium)
    pace = _speed(speed)
    started = time.monotonic()
    try:
        with outlet(via, settings(), f"replay-{name}") as target, _progress() as progress:
            task = progress.add_task(name, total=None, rows=0, refused=0)

            def tell(played: Played) -> None:
                progress.update(task, rows=played.rows, refused=played.refused)

            played = play(name, files, options, target, speed=pace, tell=tell)
            counts = target.finish()
    except OutletError as error:
        fail(str(error), "", 1)
        return
    seconds = time.monotonic() - started
    summary = {
        "format": name,
        "files": len(files),
        "via": via,
        **_counts(played),
        **counts,
        "seconds": round(seconds, 3),
    }
    if counts.get("unheard"):
        Console(stderr=True).print(
            "Шлюз не слушает: сообщения никто не получил. Запустите gorodok gateway и повторите. / "
            f"Nobody heard {counts['unheard']} of the messages: start the gateway, then repeat.",
            markup=False,
        )
    if as_json:
        print_json(summary)
    else:
        print_table([summary], list(summary))
    if counts.get("unheard") or (played.rows == 0 and played.refused > 0):
        raise typer.Exit(1)


def _way() -> str:
    """mqtt where a broker listens, so that a running gateway is the one writer; else straight to the landing."""
    address = parse_address(settings().mqtt_url)
    try:
        socket.create_connection((address.host, address.port), timeout=1).close()
    except OSError:
        Console(stderr=True).print(
            f"Брокер {address} не отвечает, пишем прямо в приёмный журнал / no broker at {address}: to the landing",
            markup=False,
        )
        return "landing"
    return "mqtt"


def _check(name: str, files: list[Path], via: str) -> None:
    if name not in formats():
        fail(f"FORMAT: no format is called {name!r}", f"use one of {', '.join(formats())}", 2)
    if via not in ("mqtt", "landing"):
        fail(f"--via: {via!r} is unknown", "use mqtt or landing", 2)
    for path in files:
        if not path.exists():
            fail(f"FILE: {path} does not exist", "check the path", 2)


def _speed(word: str) -> float | None:
    if word == "max":
        return None
    try:
        speed = float(word)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        fail(f"--speed: {word!r} is no speed", "use max or a number above 0, as 60", 2)
    return speed


def _options(
    time_zone: str | None, quantity: str | None, roles: list[str], zone_id: str | None, medium: str
) -> ReplayOptions:
    pairs = [pair.partition("=") for pair in roles]
    if any(not sign for _, sign, _ in pairs):
        fail("--role: expected COLUMN=ROLE", "as --role p227=inlet", 2)
    told: dict[str, Any] = {"time_zone": time_zone, "quantity": quantity, "zone_id": zone_id, "medium": medium}
    try:
        return ReplayOptions(**told, roles={column: cast(Any, role) for column, _, role in pairs})
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"--{'-'.join(str(part) for part in first['loc'])}: {first['msg']}", f"got {first['input']!r}", 2)
        raise


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]} строк/rows, {task.fields[refused]} отказов/refused"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _counts(played: Played) -> dict[str, int]:
    return {"parcels": played.parcels, "rows": played.rows, "refused": played.refused}
