"""Durable ingest: the gateway process against a paho subscriber that does nothing, same broker, same stream.

Single QoS 1 messages: validated, one of a hundred refused and kept in quarantine, fsynced, and in the city state,
which is where this script sees them arrive (reading it costs the gateway nothing). Rounds alternate, and each round
has fresh processes. Then arrays of 100 readings. A rate counts from the publisher's first packet to the last message
received (bare) or durable and visible (gateway).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.lib.mqtt_wire import Message, write_stream
from bench.lib.ours import STALL_S, first_packet, fresh_settings, gateway, publish, publishing, wait_for_rows
from bench.lib.processes import mosquitto, python
from bench.lib.streams import bus_messages, meter_batches
from bench.lib.table import BenchTable, Goal, Options, workplace
from city.settings import ROOT
from ingest.topics import subscription

MESSAGES = 60_000
BATCHES = 4_000
EACH = 100
ROUNDS = 4


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
    settings = fresh_settings(home)
    port = settings.mqtt_url.rpartition(":")[2]
    topic = subscription(settings.city)
    with mosquitto(settings):
        command = python("-m", "bench.lib.bare_subscriber", port, topic, str(count))
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as subscriber:
            try:
                assert subscriber.stdout is not None
                subscriber.stdout.readline()  # ready
                began = publish(port, stream)
                said, _ = subscriber.communicate(timeout=STALL_S + count / 500)
            finally:
                subscriber.kill()
        return float(json.loads(said)["last"]) - began


def gateway_round(home: Path, stream: Path, rows: int) -> float:
    """Seconds until the gateway has made all rows of the stream durable and shown them in the city state."""
    settings = fresh_settings(home)
    with mosquitto(settings), gateway(settings):
        publisher = publishing(settings.mqtt_url.rpartition(":")[2], stream)
        ended = wait_for_rows(settings, rows)
        began = first_packet(publisher)
    return ended - began
