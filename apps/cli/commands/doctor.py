"""gorodok doctor: is everything that the platform stands on well, and what to do where it is not."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import typer
from rich.markup import escape

from apps.cli.output import NO, out, print_json
from city.settings import Settings, settings

LOW_DISK_GB = 5
VERSIONS = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "paho-mqtt", "iotcore", "streamlit", "great-expectations")


@dataclass(frozen=True)
class Finding:
    """One line. state: good, bad (exit 1), or info (worth knowing, nothing is wrong)."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    probe: bool = typer.Option(True, help="Try what the broker keeps for an absent gateway (2,000 small messages)"),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """Check versions, extensions, broker, lake, disk, clock and feeds: a line each, with the remedy. Exit 1 if ill."""
    found = settings()
    findings: list[Finding] = []
    for examine in (_python, _versions, _extensions, _city, _disk, _clock, _lake, _gateway, _feeds):
        findings += _guarded(examine, found)
    findings += _guarded(_broker_deep if probe else _broker, found)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _say(finding)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(NO)


def _guarded(examine: Callable[[Settings], Iterator[Finding]], found: Settings) -> list[Finding]:
    """A check that breaks is a finding of its own: the doctor must not fall ill."""
    try:
        return list(examine(found))
    except Exception as error:
        return [Finding(examine.__name__.strip("_"), "bad", f"{type(error).__name__}: {error}", "See the message.")]


def _say(finding: Finding) -> None:
    colour = {"good": "green", "bad": "red", "info": "yellow"}[finding.state]
    out.print(f"[{colour}]{finding.state:<4}[/] {finding.what:<12} {escape(finding.detail)}")
    if finding.remedy and finding.state != "good":
        out.print(f"     {'':<12} [bold]→[/] {escape(finding.remedy)}")


def _python(_: Settings) -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    yield Finding("python", "good" if good else "bad", platform.python_version(), "Use Python 3.11 or newer.")


def _versions(_: Settings) -> Iterator[Finding]:
    parts = []
    for name in VERSIONS:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("packages", "bad", f"{name} is missing", "Run: make setup")
    yield Finding("packages", "good", ", ".join(parts))


def _extensions(found: Settings) -> Iterator[Finding]:
    from warehouse.lake import EXTENSIONS, connect

    with connect(found):
        yield Finding("extensions", "good", ", ".join(EXTENSIONS) + " load from their wheels, without a network")


def _city(found: Settings) -> Iterator[Finding]:
    from city.check import check_city

    folder = found.cities_dir / found.city
    problems = check_city(folder)
    if problems:
        yield Finding("city", "bad", f"{folder}: {len(problems)} problems, first: {problems[0]}", "gorodok city check")
    else:
        yield Finding("city", "good", str(folder))


def _disk(found: Settings) -> Iterator[Finding]:
    folder = found.home if found.home.exists() else found.home.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    state = "good" if free_gb > LOW_DISK_GB else "bad"
    remedy = (
        "Free space, or lower GORODOK_ARCHIVE_DAYS and run: gorodok maintain. The gateway stops acking when it is full."
    )
    yield Finding("disk", state, f"{free_gb:.0f} GB free at {folder}", remedy)


def _clock(found: Settings) -> Iterator[Finding]:
    """Against the newest device messages: no time server is asked, a control room has no internet."""
    from city_state.read import latest

    rows = latest(found)
    ahead = rows.filter(rows["clock_status"] == "ahead").height
    now = datetime.now(UTC)
    if now.year < 2026:
        yield Finding("clock", "bad", f"this machine says {now:%Y-%m-%d}", "Set the clock (chrony, timedatectl).")
    elif rows.height and ahead > rows.height / 2:
        detail = f"{ahead} of {rows.height} devices are ahead of this machine"
        yield Finding("clock", "bad", detail, "Probably this machine's clock is behind: timedatectl.")
    else:
        yield Finding("clock", "good", f"{now:%Y-%m-%d %H:%M:%S} UTC; {ahead} of {rows.height} devices are ahead of it")


def _lake(found: Settings) -> Iterator[Finding]:
    from warehouse.lake import LakeMissingError
    from warehouse.read import query

    started = time.monotonic()
    try:
        row = query(found, "SELECT count(*) AS segments, max(loaded_at) AS newest FROM ops.segment").row(0)
    except LakeMissingError:
        yield Finding("lake", "info", "empty", "Load something: gorodok demo, or gorodok replay …; gorodok build")
        return
    seconds = time.monotonic() - started
    yield Finding("lake", "good", f"{row[0]} segments loaded, the newest at {row[1]}; answers in {seconds:.2f} s")
    waiting = len(list(found.landing_dir.glob("*/sealed/*.parquet")))
    broken = len(list(found.landing_dir.glob("*/broken/*")))
    if broken:
        yield Finding("landing", "bad", f"{broken} segments cannot be read", "Look in landing/<feed>/broken.")
    yield Finding("landing", "good", f"{waiting} segments wait for the load")


def _gateway(found: Settings) -> Iterator[Finding]:
    import json
    import urllib.error
    import urllib.request

    address = f"http://{found.host}:{found.gateway_port}/health"
    try:
        with urllib.request.urlopen(address, timeout=3) as answer:
            health = json.load(answer)
    except urllib.error.HTTPError as error:
        health = json.load(error)
    except OSError:
        yield Finding("gateway", "info", f"does not run ({address})", "Start it: gorodok gateway, or gorodok demo")
        return
    if health["ok"]:
        yield Finding("gateway", "good", f"{health['rows']} rows, {health['quarantined']} refused since its start")
    else:
        yield Finding("gateway", "bad", health["trouble"], "Look at the broker and the disk.")


def _feeds(found: Settings) -> Iterator[Finding]:
    from city_state.read import feeds
    from ingest.contracts import CONTRACTS

    heard = {row["feed"]: row["last_received_at"] for row in feeds(found).to_dicts()}
    now = datetime.now(UTC)
    for feed, contract in CONTRACTS.items():
        limit_s = contract.spec.freshness_s
        if not limit_s:
            continue
        if feed not in heard:
            yield Finding(feed, "info", "never heard", "No device has published to this feed yet.")
            continue
        age_s = (now - heard[feed]).total_seconds()
        remedy = "Is its source running? See the runbook, «A feed is silent»."
        yield Finding(feed, "good" if age_s <= limit_s else "bad", f"{age_s:.0f} s old, may be {limit_s}", remedy)


def _broker(found: Settings) -> Iterator[Finding]:
    import socket

    from ingest.broker.address import parse_address

    address = parse_address(found.mqtt_url)
    try:
        socket.create_connection((address.host, address.port), timeout=3).close()
    except OSError as error:
        yield Finding(
            "broker", "info", f"{address}: {error}", "Start it: gorodok demo, or mosquitto with deploy/mosquitto.conf"
        )
        return
    yield Finding("broker", "good", f"{address} accepts connections")


def _broker_deep(found: Settings) -> Iterator[Finding]:
    reachable = list(_broker(found))
    yield from reachable
    if reachable[0].state != "good":
        return
    from ingest.broker.probe import probe_broker

    report = probe_broker(found, messages=2_000)
    for line in report.findings():
        yield Finding("broker", "good" if line.good else "bad", line.text, line.remedy)
