"""Durable ingest: the gateway process against a paho subscriber that does nothing, same broker, same stream.

Single QoS 1 messages: validated, one of a hundred refused and kept in quarantine, fsynced, and in the city state,
which is where this script sees them arrive (reading it costs the gateway nothing). Rounds alternate, and each round
has fresh processes. Then arrays of 100 readings. A rate counts from the publisher's first packet to the last message
received (bare) or durable and visible (gateway).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median

from bench.lib.mqtt_wire import Message, write_stream
from bench.lib.processes import StepFailedError, environment, free_port, mosquitto, python, running, tail
from bench.lib.streams import bus_messages, meter_batches
from bench.lib.table import BenchTable, Goal, Options, workplace
from city.settings import Settings
from ingest.topics import subscription

MESSAGES = 60_000
BATCHES = 4_000
EACH = 100
ROUNDS = 4
STALL_S = 20.0


def run(options: Options) -> BenchTable:
    table = BenchTable(
        "Durable ingest over mosquitto (deploy/mosquitto.conf)",
        ["what", "messages", "rounds", "median msg/s", "lowest", "highest", "readings/s", "ratio to bare"],
    )
    with workplace(options, "ingest") as folder:
        singles, batches = folder / "singles.stream", folder / "batches.stream"
        count = write_stream(singles, bus_messages("gorodok", options.sized(MESSAGES, 500)))
        arrays = write_stream(batches, _arrays(options))
        bare, ours = alternate(folder, singles, count, ROUNDS)
        batched_bare, batched = alternate(folder, batches, arrays, 2, readings=EACH)
    ratio = median(ours) / median(bare)
    table.rows = [
        _row("bare paho subscriber", count, bare, 1, None),
        _row("gateway, single messages", count, ours, 1, ratio),
        _row(f"bare paho subscriber, arrays of {EACH}", arrays, batched_bare, EACH, None),
        _row(f"gateway, arrays of {EACH}", arrays, batched, EACH, median(batched) / median(batched_bare)),
    ]
    table.goals = [
        Goal("single messages: rate of the gateway / rate of a bare subscriber", ratio, 0.9, "higher"),
        Goal(f"arrays of {EACH}: readings/s", median(batched) * EACH, 50_000, "higher"),
    ]
    table.notes = ["1 of 100 single messages is malformed and goes to quarantine", "publisher: raw socket, pre-encoded"]
    return table


def _arrays(options: Options) -> Iterator[Message]:
    return meter_batches("gorodok", options.sized(BATCHES, 20), EACH)


def _row(what: str, count: int, rates: list[float], readings: int, ratio: float | None) -> list[object]:
    return [what, count, len(rates), median(rates), min(rates), max(rates), median(rates) * readings, ratio]


def alternate(
    folder: Path, stream: Path, count: int, rounds: int, readings: int = 1
) -> tuple[list[float], list[float]]:
    """Messages/s of each round: (bare, gateway)."""
    bare: list[float] = []
    ours: list[float] = []
    for turn in range(rounds):
        bare.append(count / bare_round(folder / f"{stream.stem}-bare-{turn}", stream, count))
        ours.append(count / gateway_round(folder / f"{stream.stem}-gateway-{turn}", stream, count * readings))
    return bare, ours


def bare_round(home: Path, stream: Path, count: int) -> float:
    """Seconds until a subscriber that does nothing has received the stream."""
    settings = _settings(home)
    port = settings.mqtt_url.rpartition(":")[2]
    topic = subscription(settings.city)
    with mosquitto(settings):
        command = python("-m", "bench.lib.bare_subscriber", port, topic, str(count))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
            try:
                assert subscriber.stdout is not None
                subscriber.stdout.readline()  # ready
                began = _publish(port, stream)
                said, _ = subscriber.communicate(timeout=STALL_S + count / 500)
            finally:
                subscriber.kill()
        return float(json.loads(said)["last"]) - began


def gateway_round(home: Path, stream: Path, rows: int) -> float:
    """Seconds until the gateway has made all rows of the stream durable and shown them in the city state."""
    settings = _settings(home)
    with mosquitto(settings), gateway(settings):
        publisher = _publishing(settings.mqtt_url.rpartition(":")[2], stream)
        ended = wait_for_rows(settings, rows)
        began = _first(publisher)
    return ended - began


def _settings(home: Path) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    return Settings(home=home, mqtt_url=f"mqtt://127.0.0.1:{free_port()}", gateway_port=free_port())


@contextmanager
def gateway(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The gateway as `gorodok gateway` runs it, connected to its broker."""
    log = settings.home / "gateway.log"
    with running(python("-m", "apps.cli", "gateway"), log, environment(settings)) as process:
        wait_until_connected(settings, process, log)
        yield process


def wait_until_connected(settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{settings.gateway_port}/health", timeout=5) as answer,
        ):
            if json.load(answer)["connected"]:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise StepFailedError(f"the gateway does not connect: {tail(log)}")
        time.sleep(0.1)


def wait_for_rows(settings: Settings, rows: int) -> float:
    """The moment at which the city state has counted so many rows (good ones and refused ones)."""
    seen, since = -1, time.monotonic()
    while True:
        now = rows_seen(settings)
        moment = time.monotonic()
        if now >= rows:
            return moment
        if now != seen:
            seen, since = now, moment
        if moment - since > STALL_S:
            raise StepFailedError(f"the gateway stopped at {now} of {rows} rows")
        time.sleep(0.03)


def rows_seen(settings: Settings) -> int:
    with closing(sqlite3.connect(f"{settings.state_path.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        return int(connection.execute("SELECT coalesce(sum(messages), 0) FROM feed").fetchone()[0])


def _publishing(port: str, stream: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(python("-m", "bench.lib.mqtt_wire", port, str(stream)), stdout=subprocess.PIPE, text=True)


def _publish(port: str, stream: Path) -> float:
    return _first(_publishing(port, stream))


def _first(publisher: subprocess.Popen[str]) -> float:
    said, _ = publisher.communicate(timeout=300)
    return float(json.loads(said)["first"])
