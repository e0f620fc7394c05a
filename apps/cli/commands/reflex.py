"""`gorodok reflex`: the process that acts; `gorodok alert send` and `gorodok drill`: a person's hand on it."""

from __future__ import annotations

import logging
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.output import GOOD, NO, err, fail, out, print_json, print_table
from city.settings import settings

if TYPE_CHECKING:
    from actuation.reflex.client import ReflexClient
    from actuation.reflex.shapes import CommandRow, DeviceRow, RunRow

ANSWERS_S = 10.0
CALM_S = 1.0


def register(app: typer.Typer) -> None:
    app.command("reflex", help="Процесс, который действует по тревоге / The process that acts on alerts")(reflex)
    app.command("drill", help="Учебная тревога зоны: кто ответил / Drill of a zone: who answered")(drill)


def reflex() -> None:
    """Alerts in, the engine, the ledger, signed commands out, answers counted; until interrupted."""
    from actuation.cap import CapSourcesError
    from actuation.keys import KeysError
    from actuation.reflex.process import ReflexProcess
    from city.problem import CityError

    logging.getLogger().setLevel(logging.INFO)
    try:
        process = ReflexProcess(settings())
    except (KeysError, CapSourcesError, CityError) as error:
        fail(f"reflex: {error}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: process.stop())
    process.run()


def send(
    file: Annotated[Path, typer.Argument(help="Файл CAP 1.2, - значит stdin / CAP 1.2 file, - is stdin")],
    source: Annotated[str, typer.Option(help="Код источника / Code in alert_sources.toml")] = "duty",
    as_json: Annotated[bool, typer.Option("--json", help="Ответ в JSON / Answer as JSON")] = False,
) -> None:
    """Exit code 0: accepted (or repeated); 1: refused; 2: wrong usage, or nobody answers."""
    data = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    with _client() as client:
        verdict = client.send_cap(source, data)
        rows = [row for row in client.runs() if row["run_id"] in verdict["runs"]]
    if as_json:
        print_json({**verdict, "run_rows": rows})
    else:
        words = {"accepted": "принято / accepted", "repeated": "уже было / repeated", "held": "ждёт / held"}
        out.print(words.get(verdict["result"], f"отказ / refused: {verdict['reason']}"), markup=False)
        for row in rows:
            _say_run(row)
    raise typer.Exit(NO if verdict["result"] == "refused" else GOOD)


def drill(
    zone: Annotated[str, typer.Argument(help="Код зоны / zone_id")],
    scenario: Annotated[str, typer.Option(help="Сценарий / Scenario to drill")] = "missile_alert",
    by: Annotated[str, typer.Option(help="Кто проводит / Who runs it")] = "",
    wait_s: Annotated[float, typer.Option(min=0.5, max=600, help="Ждать ответов, с / Wait for answers, s")] = ANSWERS_S,
    as_json: Annotated[bool, typer.Option("--json", help="Итоги в JSON / Outcome as JSON")] = False,
) -> None:
    """Nothing moves: devices answer what they would do. Exit code 0: all answered; 1: some were silent or refused."""
    import getpass

    from actuation.reflex.client import ReflexClient

    found = settings()
    name = by or getpass.getuser()
    with _opened(lambda: ReflexClient(found, user=name, role="duty")) as client:
        pressed = client.press(scenario, "drill", [zone])
        if not pressed["runs"]:
            fail(f"the drill of {scenario} in {zone} started no run", "Does the scenario command devices there?", NO)
        run = _wait_for_answers(client, pressed["runs"][0], wait_s)
        devices = client.run_devices(run["run_id"])
        client.press(scenario, "stop", [zone], run_id=run["run_id"])
    silent = [row for row in devices if row["answered"] not in ("done", "would_do")]
    if as_json:
        print_json({"run": run, "devices": devices, "silent": silent})
    else:
        _say_drill(run, devices, silent)
    raise typer.Exit(NO if silent else GOOD)


def _wait_for_answers(client: ReflexClient, run_id: str, wait_s: float) -> RunRow:
    """The run when every device has answered, or when the time is up."""
    end = time.monotonic() + wait_s
    while True:
        run = next((row for row in [*client.runs(), *client.runs(past=True)] if row["run_id"] == run_id), None)
        if run is None:
            fail(f"run {run_id} is gone", "See `gorodok ledger`", NO)
        if time.monotonic() > end or (run["commands"] and not any(each["silent"] for each in run["commands"])):
            return run
        time.sleep(0.1)


def _say_run(run: RunRow) -> None:
    out.print(f"{run['title_ru']} / {run['title_en']}: {run['mode']}, {', '.join(run['zones'])}", markup=False)
    print_table([_command_cells(each) for each in run["commands"]], COUNTED)


COUNTED = ("target", "action", "expected", "done", "refused", "failed", "silent", "p50_ms", "p99_ms", "last_ms")


def _command_cells(row: CommandRow) -> list[Any]:
    return [row[name] for name in COUNTED]  # type: ignore[literal-required]


def _say_drill(run: RunRow, devices: list[DeviceRow], silent: list[DeviceRow]) -> None:
    _say_run(run)
    out.print(f"ответили / answered: {len(devices) - len(silent)} из / of {len(devices)}")
    if silent:
        columns = ["device_id", "kind", "answered", "reason", "address", "contact"]
        print_table(silent, columns, title="Не ответили / Silent")  # type: ignore[arg-type]


def _client() -> _opened:
    from actuation.reflex.client import ReflexClient

    return _opened(lambda: ReflexClient(settings()))


class _opened:  # noqa: N801 - reads like a function
    """The client; its errors become messages and exit code 2 (nobody answers) or 1 (it says no)."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __enter__(self) -> ReflexClient:
        from actuation.reflex.token import TokenError

        try:
            self._client = self._make()
        except TokenError as error:
            fail(str(error))
        return self._client  # type: ignore[no-any-return]

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from actuation.reflex.client import ReflexAwayError, ReflexRefusedError

        self._client.close()
        if isinstance(error, ReflexAwayError):
            fail(str(error))
        if isinstance(error, ReflexRefusedError):
            err.print(str(error), markup=False)
            raise typer.Exit(NO)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}", "Give a file of CAP 1.2 XML.")
