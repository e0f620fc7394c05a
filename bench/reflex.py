"""Reflexes: trigger to command on the wire, signed and in the fsynced ledger, beside Node-RED and Home Assistant.

One run, one mosquitto (set_tcp_nodelay true) on one machine, so that the ratios hold on a busy one too; processor time
is told beside. The peers do the same automation without a signature, a ledger or answers. Then the same while a real
gateway ingests 5,000 telemetry messages a second. Last: one zone command to N doors, each a TCP connection and a key of
its own, until the last verified answer is counted and in the ledger; the simulated doors' processor time is told apart.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.lib.automations import PREFIX, PeerAwayError, running_hass, running_node_red
from bench.lib.mqtt_wire import write_stream
from bench.lib.ours import wait_until_connected
from bench.lib.processes import StepFailedError, python, running
from bench.lib.reflexes import Chain, until
from bench.lib.streams import bus_messages
from bench.lib.table import BenchTable, Goal, Options, quantile, workplace
from city.settings import ROOT

RATES = (10.0, 100.0, 1_000.0)
SECONDS = {10.0: 10.0, 100.0: 10.0, 1_000.0: 5.0}
DOORS = (100, 1_000, 10_000)
SITES = 2_000
TELEMETRY_S = 5_000.0
LAMP = """
scenario: bench_lamp
title: {ru: "Замер", en: "Bench"}
mode: live
per: site
triggers: [{on: camera_event, class_names: [person], confidence: 0.5}]
steps: [{name: lamp, do: command, action: light_on, kinds: [lamp], where: site}]
timers: {max_hold_s: 0.05}
"""
"""Each event begins a run of its own site, which ends after 50 ms with a second command: the lamp goes off."""
DOOR = """
scenario: missile_alert
title: {ru: "Ракетная опасность", en: "Missile alert"}
mode: live
triggers: [{on: alert, events: ["ракетная опасность"]}]
steps: [{name: open_doors, do: command, action: unlock, kinds: [door], then: {action: lock, after_s: 0}}]
timers: {max_hold_s: 3600}
"""
COLUMNS = [
    "what", "events/s or doors", "events or answers", "p50 ms", "p99 ms", "max ms", "CPU us each", "simulator CPU s",
]  # fmt: skip


def run(options: Options) -> BenchTable:
    """scale cuts doors and seconds; options.doors, rate, seconds choose one size instead."""
    table = BenchTable("Reflexes on mosquitto, one machine, one run", COLUMNS)
    rates = (options.rate,) if options.rate is not None else RATES
    doors = (options.doors,) if options.doors is not None else tuple(options.sized(each, 20) for each in DOORS)
    with workplace(options, "reflex") as folder:
        _latencies(table, folder, rates, options)
        for count in doors:
            table.rows.append(fan_out(folder / f"doors-{count}", count))
    _goals(table, doors)
    table.notes += [
        "ours: JWS (EdDSA) and a hash-chained ledger line fsynced before the command leaves; peers: neither",
        "CPU us each: processor time of the process per event (two commands each: on, and off) or per answer",
        "max ms of doors: from the command's creation to the last answer counted, by the platform's clock",
    ]
    return table


def _latencies(table: BenchTable, folder: Path, rates: tuple[float, ...], options: Options) -> None:
    town = lamp_town(folder / "lamps")
    with town:
        town.start_broker()
        with _ours(town) as process:
            for rate in rates:
                table.rows.append(_measure("gorodok", town, process, rate, options, OURS))
            with _telemetry(town, folder, sum(_seconds(rate, options) for rate in rates[-2:]) + 20):
                for rate in rates[-2:]:
                    table.rows.append(_measure("gorodok, with telemetry", town, process, rate, options, OURS))
        peers: dict[str, Callable[[], Any]] = {
            "Node-RED 4": lambda: running_node_red(folder / "node-red", town.port),
            "Home Assistant 2024.3.3": lambda: running_hass(folder / "hass", town.port),
        }
        for name, start in peers.items():
            try:
                with start() as process:
                    for rate in rates:
                        table.rows.append(_measure(name, town, process, rate, options, PREFIX))
            except (PeerAwayError, StepFailedError) as error:
                table.notes.append(f"{name} is left out: {str(error)[:300]}")


OURS = "gorodok/v1/gorodok/ctl/command/"


def lamp_town(folder: Path) -> Chain:
    """SITES crossings with a lamp each; nobody is connected for them: the wire is what is measured."""
    town = Chain(folder, {"za": 1}, scenarios={"bench_lamp": LAMP})
    city = town.settings.cities_dir / "gorodok"
    devices = json.loads((city / "devices.geojson").read_text())
    sites: dict[str, Any] = {"type": "FeatureCollection", "features": []}
    point = devices["features"][0]["geometry"]
    for number in range(SITES):
        name = f"lamp-{number:04d}"
        words = {"name_ru": name, "name_en": name, "zone_id": "za", "site_id": name}
        lamp = {"device_id": name, "kind": "lamp", "actions": ["light_on", "light_off"], **words}
        devices["features"].append({"type": "Feature", "properties": lamp, "geometry": point})
        site = {"kind": "crossing", **words}
        sites["features"].append({"type": "Feature", "properties": site, "geometry": point})
    (city / "devices.geojson").write_text(json.dumps(devices))
    (city / "sites.geojson").write_text(json.dumps(sites))
    return town


@contextmanager
def _ours(town: Chain) -> Iterator[subprocess.Popen[bytes]]:
    process = town.start_reflex()
    yield process
    process.terminate()
    process.wait(30)


def _measure(
    what: str, town: Chain, process: subprocess.Popen[bytes], rate: float, options: Options, prefix: str
) -> list[Any]:
    seconds = _seconds(rate, options)
    before = _cpu(process)
    command = python("-m", "bench.lib.round_trip", str(town.port), str(rate), str(seconds), str(SITES), prefix)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds * 4 + 60, check=False)
    if done.returncode:
        raise StepFailedError(f"{what}: {done.stderr[-500:]}")
    found = json.loads(done.stdout)
    used = _cpu(process) - before
    times = found["latencies"] or [float("nan")]
    lost = "" if found["answered"] == found["sent"] else f" ({found['sent'] - found['answered']} never came)"
    return [what + lost, rate, found["answered"], quantile(times, 0.5), quantile(times, 0.99), max(times),
            used / max(1, found["sent"]) * 1e6, None]  # fmt: skip


def _seconds(rate: float, options: Options) -> float:
    return options.seconds if options.seconds is not None else max(1.0, SECONDS.get(rate, 5.0) * options.scale)


def _cpu(process: subprocess.Popen[bytes]) -> float:
    """Of the process and its children, seconds."""
    whole = psutil.Process(process.pid)
    times = [each.cpu_times() for each in (whole, *whole.children(recursive=True))]
    return sum(each.user + each.system for each in times)


@contextmanager
def _telemetry(town: Chain, folder: Path, seconds: float) -> Iterator[None]:
    """A real gateway on the same broker, and TELEMETRY_S messages a second for it."""
    stream = folder / "telemetry.stream"
    write_stream(stream, bus_messages("gorodok", int(TELEMETRY_S * seconds), bad=False))
    with ExitStack() as stack:
        log = folder / "gateway.log"
        gateway = stack.enter_context(running(python("-m", "apps.cli", "gateway"), log, town.variables()))
        wait_until_connected(town.settings, gateway, log)
        command = python("-m", "bench.lib.mqtt_wire", str(town.port), str(stream), str(TELEMETRY_S))
        stack.enter_context(running(command, folder / "telemetry.log", town.variables(), 1))
        time.sleep(2)
        yield


def fan_out(folder: Path, doors: int) -> list[Any]:
    """One unlock command to all doors of a zone: p50, p99 and last of the answers, processor times apart."""
    with Chain(folder, {"za": doors}, scenarios={"missile_alert": DOOR}) as town:
        town.start_broker()
        process = town.start_reflex()
        fleet = town.start_fleet("--processes", "1")
        with town.client() as client:
            _until_quiet(client)
            before, fleet_before = _cpu(process), fleet.totals()["cpu_s"]
            verdict = client.send_cap("cap", town.signed("za"))
            (run_id,) = verdict["runs"]

            def counted() -> Any:
                (command,) = next(row for row in client.runs() if row["run_id"] == run_id)["commands"]
                return command if not command["silent"] else None

            command = until(counted, 120, 0.2)
            used = _cpu(process) - before
            simulated = fleet.totals()["cpu_s"] - fleet_before
            answered = command["done"]
        fleet.stop()
    if answered != doors:
        raise StepFailedError(f"{answered} of {doors} doors did it: {command}")
    return [
        "doors: command → answers counted", doors, answered, command["p50_ms"], command["p99_ms"], command["last_ms"],
        used / doors * 1e6, round(simulated, 3),
    ]  # fmt: skip


def _until_quiet(client: Any) -> None:
    """What the doors said of themselves when they connected is in the ledger, and in the lake's queue."""
    before = -1
    while (now := client.status()["ledger"]["seq"]) != before:
        before = now
        time.sleep(1.5)


def _goals(table: BenchTable, doors: tuple[int, ...]) -> None:
    found = {(str(row[0]).split(" (")[0], row[1]): row for row in table.rows}
    for rate in (100.0, 1_000.0):
        ours, theirs = found.get(("gorodok", rate)), found.get(("Node-RED 4", rate))
        if ours is not None:
            table.goals.append(Goal(f"p99 at {rate:,.0f}/s, ms", ours[4], 4.0, "lower"))
        if ours is not None and theirs is not None:
            table.goals.append(Goal(f"p99 at {rate:,.0f}/s, ours / Node-RED's", ours[4] / theirs[4], 0.5, "lower"))
        if (loaded := found.get(("gorodok, with telemetry", rate))) is not None:
            table.goals.append(Goal(f"p99 at {rate:,.0f}/s with telemetry, ms", loaded[4], 10.0, "lower"))
    last = found.get(("doors: command → answers counted", doors[-1]))
    if last is not None:
        table.goals.append(Goal(f"{doors[-1]:,} doors: last answer, s", last[5] / 1_000, 1.5, "lower"))
