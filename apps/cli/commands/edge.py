"""`gorodok edge SCENARIO`: a scenario beside its devices, without the platform."""

from __future__ import annotations

import json
import queue
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.output import BAD, NO, err, fail
from city.problem import CityError
from city.profile import load_city
from city.settings import Settings, settings

LONGEST_S = 60.0
ENDED = object()

Send = Callable[[dict[str, Any]], None]


def register(app: typer.Typer) -> None:
    app.command("edge", help="Сценарий на месте, без платформы / A scenario beside its devices, without the platform")(
        edge
    )


def edge(
    scenario: Annotated[str, typer.Argument(help="Код сценария или файл / Code of a scenario, or its file")],
    site: Annotated[list[str] | None, typer.Option(help="Место, без него все / Site (repeatable); none: all")] = None,
    sensors: Annotated[
        str,
        typer.Option(help="Откуда датчики: - stdin, или mqtt://… рядом / Sensors: - (JSON lines), or a local broker"),
    ] = "-",
    home: Annotated[Path | None, typer.Option(help="Папка журнала / Folder of its journal")] = None,
    handover: Annotated[bool, typer.Option(help="Отдавать журнал платформе / Give the journal to the platform")] = True,
) -> None:
    """Commands go to stdout as JSON lines, or to edge/<device>/command of the local broker. Ends with its input.

    Exit code 1: another edge writes this journal; 2: wrong usage, scenario or site.
    """
    from actuation.edge.controller import EdgeController
    from actuation.edge.handover import Handover
    from actuation.ledger import Ledger, LedgerBusyError

    found = settings()
    program, sites = _program(found, scenario, site)
    folder = home or found.home / "edge" / next(iter(program.scenarios))
    try:
        ledger = Ledger.open(folder / "ledger.sqlite")
    except LedgerBusyError as error:
        fail(str(error), "end the other edge, or give another --home", NO)
    inbox: queue.Queue[Any] = queue.Queue(maxsize=10_000)
    send = _stdin(inbox) if sensors == "-" else _broker(found, sensors, inbox)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.put(ENDED))
    giver = Handover(found, folder / "ledger.sqlite", f"edge-{next(iter(program.scenarios))}")
    if handover:
        giver.start()
    controller = EdgeController(program, sites, ledger, folder, send)
    err.print(f"{', '.join(program.scenarios)} · {', '.join(sites)} · {folder}", markup=False)
    try:
        _loop(controller, inbox)
    finally:
        giver.stop() if handover else None
        ledger.close()


def _loop(controller: Any, inbox: queue.Queue[Any]) -> None:
    """Messages as they come, timers between them; after the input's end until everything is off."""
    controller.start(_now())
    ended = False
    while not (ended and controller.is_calm):
        due = controller.next_due()
        wait_s = min(LONGEST_S, max(0.0, (due - _now()).total_seconds())) if due else LONGEST_S
        try:
            message = inbox.get(timeout=wait_s)
        except queue.Empty:
            controller.pass_time(_now())
            continue
        if message is ENDED:
            ended = True
        elif not controller.hear(message, _now()):
            err.print(f"не наш / not ours: {message}", markup=False)


def _program(found: Settings, scenario: str, wanted: list[str] | None) -> tuple[Any, list[str]]:
    from actuation.scenario.load import FOLDER, read_scenario
    from actuation.scenario.program import Program
    from actuation.scenario.town import load_town

    try:
        city = load_city(found)
        path = Path(scenario) if scenario.endswith(".yaml") else city.folder / FOLDER / f"{scenario}.yaml"
        program = Program.of([read_scenario(path)], load_town(city))
    except OSError as error:
        fail(f"SCENARIO: {error}", "give a code of cities/<city>/scenarios, or a file", BAD)
    except CityError as error:
        fail(str(error), "gorodok scenario check lists every problem", BAD)
    sites = wanted or sorted(program.town.at_site)
    for one in sites:
        if one not in program.town.at_site:
            fail(f"--site: no device stands at {one!r}", f"one of {', '.join(sorted(program.town.at_site))}", BAD)
    return program, sites


def _stdin(inbox: queue.Queue[Any]) -> Send:
    def read() -> None:
        for line in sys.stdin:
            _take(inbox, line.encode())
        inbox.put(ENDED)

    threading.Thread(target=read, name="edge-stdin", daemon=True).start()
    return lambda command: print(json.dumps(command, ensure_ascii=False), flush=True)


def _broker(found: Settings, url: str, inbox: queue.Queue[Any]) -> Send:
    """A broker on the controller itself: what devices publish on ctl/sensed, without asking the platform's."""
    import paho.mqtt.client as mqtt

    from actuation.topics import control_topic
    from ingest.broker.address import parse_address
    from ingest.broker.client import build_client

    local = found.model_copy(update={"mqtt_url": url, "mqtt_password": None})
    client = build_client(local, f"edge-{found.city}", mqtt.Client)
    client.on_connect = lambda client, *_: client.subscribe(control_topic(found.city, "sensed", "+"), qos=1)
    client.on_message = lambda client, _, message: _take(inbox, bytes(message.payload))
    try:
        address = parse_address(url)
        client.connect(address.host, address.port)
    except (OSError, ValueError) as error:
        fail(f"--sensors: {url}: {error}", "start the broker on this machine, or read from -", BAD)
    client.loop_start()
    return lambda command: _publish(client, command)


def _publish(client: Any, command: dict[str, Any]) -> None:
    client.publish(f"edge/{command['device']}/command", json.dumps(command, ensure_ascii=False), qos=1)


def _take(inbox: queue.Queue[Any], payload: bytes) -> None:
    """JSON, with or without the HMAC behind it; a full queue drops the newest: the next look comes in 0.2 s."""
    try:
        message, _ = json.JSONDecoder().raw_decode(payload.decode().strip())
    except (ValueError, UnicodeDecodeError):
        err.print(f"не JSON / not JSON: {payload[:80]!r}", markup=False)
        return
    if isinstance(message, dict) and not inbox.full():
        inbox.put(message)


def _now() -> datetime:
    return datetime.now(UTC)
