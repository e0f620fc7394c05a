"""gorodok demo: a living city on this machine."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from collections.abc import Callable

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from apps.cli.output import GOOD, NO, err, fail, out
from apps.cli.processes import Processes, ProcessFailedError
from city.settings import Settings, settings

STOP_ORDER = [
    "streamlit",
    "signin",
    "dagster-daemon",
    "dagster-webserver",
    "simulator",
    "pull",
    "reflex",
    "gateway",
    "broker",
]
"""Sources first, then who listens to them, so that what was sent is landed."""

DRAIN_S = 30.0
PAST_S = 300.0
LIVE_S = 20.0
"""Simulator's traffic that is no older than this is live."""


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    once: int | None = typer.Option(None, min=1, help="Live traffic for so many seconds, then load, build, KPIs, exit"),
) -> None:
    """Start broker, gateway, simulator, Dagster and Streamlit; print addresses as they come up; Ctrl-C ends all."""
    from warehouse.catalog import stop_embedded

    found = settings()
    signin = once is None and _has_no_provider(found)
    processes = Processes(found, {"GORODOK_DEMO_SIGNIN": "true"} if signin else {})
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        if once is None:
            _live(found, processes)
        else:
            _once(found, processes, once)
    except ProcessFailedError as error:
        fail(str(error), "The whole log is under GORODOK_HOME/logs. Is another demo running?", NO)
    except KeyboardInterrupt:
        err.print("stopping…")
    finally:
        processes.stop_all(STOP_ORDER)
        stop_embedded(found)


def _has_no_provider(found: Settings) -> bool:
    """Then the demo's own sign-in is started; on an address that others reach there is none, and all are viewers."""
    return found.oidc_issuer is None and found.host in ("127.0.0.1", "localhost", "::1")


def _start_traffic(found: Settings, processes: Processes) -> None:
    from ingest.broker.address import parse_address

    broker = parse_address(found.mqtt_url)
    if _port_open(broker.host, broker.port):
        fail(f"something listens on {broker.host}:{broker.port} already", "End it, or set GORODOK_MQTT_URL.", NO)
    processes.start("broker")
    processes.wait_ready("broker", lambda: _port_open(broker.host, broker.port))
    out.print(f"  broker     {found.mqtt_url}")
    processes.start("gateway")
    health = f"http://{found.host}:{found.gateway_port}/health"
    processes.wait_ready("gateway", lambda: _ok(health))
    out.print(f"  gateway    {health}")
    _make_keys(found)
    processes.start("reflex")
    processes.start("simulator")
    processes.start("pull")
    processes.wait_ready("simulator", lambda: _port_open(found.host, found.simulator_port))
    out.print(f"  simulator  http://{found.host}:{found.simulator_port}/")
    reflex = f"http://{found.host}:{found.reflex_port}/health"
    processes.wait_ready("reflex", lambda: _ok(reflex), timeout_s=60)
    out.print(f"  reflex     {reflex}  (drills; live doors need a broker with access lists)")


def _make_keys(found: Settings) -> None:
    """The city's first keys, and an identity for each simulated device."""
    from actuation.keys import change
    from actuation.keys.record import RING
    from apps.cli.commands.keys import write_identities
    from simulator.speak.controllers import identities_path

    if not (found.keys_dir / RING).exists():
        change.create(found.keys_dir, found.city)
    write_identities(found, identities_path(found))


def _live(found: Settings, processes: Processes) -> None:
    from orchestration.serve import prepare

    prepare(found)
    _start_traffic(found, processes)
    pages = {
        "streamlit": f"http://{found.host}:{found.streamlit_port}/",
        "dagster-webserver": f"http://{found.host}:{found.dagster_port}/",
    }
    if _has_no_provider(found):
        # not in the Procfile: people without passwords are for a demo only
        processes.start("signin", "python -m apps.signin")
        keys = f"http://{found.host}:{found.signin_port}/jwks"
        processes.wait_ready("signin", lambda: _answers(keys))
        out.print("  sign-in    without passwords, on this machine only (duty1, duty2, admin, viewer)")
    for name in ("streamlit", "dagster-webserver", "dagster-daemon"):
        processes.start(name)
    for name, address in pages.items():
        processes.wait_ready(name, lambda address=address: _answers(address), timeout_s=120)  # type: ignore[misc]
        out.print(f"  {name.removesuffix('-webserver'):<10} {address}")
    out.print(f"  data       {found.home}\n  first figures in about two minutes; Ctrl-C ends all")
    while True:
        processes.check()
        time.sleep(1)


def _once(found: Settings, processes: Processes, seconds: int) -> None:
    from apps.cli.commands.build import run_build
    from apps.cli.commands.kpi import print_kpis

    _start_traffic(found, processes)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err) as progress:
        task = progress.add_task("the last two days are sent")
        processes.wait_ready("simulator", lambda: _past_is_sent(found), PAST_S)
        progress.update(task, description=f"live traffic for {seconds} s")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            processes.check()
            time.sleep(0.2)
    processes.stop("simulator")
    processes.stop("pull")
    _drain(found)
    processes.stop_all(STOP_ORDER)
    good = run_build(found)
    print_kpis(found)
    raise typer.Exit(GOOD if good else NO)


def _past_is_sent(found: Settings) -> bool:
    """The simulator notes up to when everything was acknowledged."""
    try:
        memory = json.loads((found.home / "simulator" / "memory.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(time.time() - memory["through_s"] < LIVE_S)


def _drain(found: Settings) -> None:
    """Waits until the gateway receives nothing more."""
    address = f"http://{found.host}:{found.gateway_port}/health"
    before, end = -1, time.monotonic() + DRAIN_S
    while time.monotonic() < end:
        now = _json(address)["messages"]
        if now == before:
            return
        before = now
        time.sleep(1.0)


def _json(address: str) -> dict[str, int]:
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own address
        return dict(json.load(answer))


def _ok(address: str) -> bool:
    return _tried(lambda: bool(_json(address)["ok"]))


def _answers(address: str) -> bool:
    def ask() -> bool:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)

    return _tried(ask)


def _tried(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError:
        return False


def _port_open(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
