"""Durable ingest: the gateway process against a paho subscriber that does nothing, same broker, same stream.

Single QoS 1 messages: validated, one of a hundred refused and kept in quarantine, fsynced, and in the city state,
which is where this script sees them arrive (reading it costs the gateway nothing). Rounds alternate, and each round
has fresh processes. Then arrays of 100 readings. A rate counts from the publisher's first packet to the last message
received (bare) or durable and visible (gateway).
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.lib.mqtt_wire import write_stream
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


@dataclass(frozen=True, slots=True)
class Round:
    """seconds: from the first packet to the last message; cpu_s: processor time of the receiving process in them."""

    seconds: float
    cpu_s: float


def run(options: Options) -> BenchTable:
    table = BenchTable(
        "Durable ingest over mosquitto (deploy/mosquitto.conf)",
        ["what", "messages", "rounds", "msg/s", "lowest", "highest", "readings/s", "CPU us/msg", "ratio", "CPU ratio"],
    )
    with workplace(options, "ingest") as folder:
        singles, batches = folder / "singles.stream", folder / "batches.stream"
        count = write_stream(singles, bus_messages("gorodok", options.sized(MESSAGES, 500)))
        arrays = write_stream(batches, meter_batches("gorodok", options.sized(BATCHES, 20), EACH))
        bare, ours = alternate(folder, singles, count, ROUNDS)
        batched_bare, batched = alternate(folder, batches, arrays, 2, readings=EACH)
    table.rows = [
        _row("bare paho subscriber", count, bare),
        _row("gateway, single messages", count, ours, bare),
        _row(f"bare paho subscriber, arrays of {EACH}", arrays, batched_bare, readings=EACH),
        _row(f"gateway, arrays of {EACH}", arrays, batched, batched_bare, readings=EACH),
    ]
    table.goals = [
        Goal("single messages: rate of the gateway / rate of a bare subscriber", table.rows[1][8], 0.9, "higher"),
        Goal(f"arrays of {EACH}: readings/s", table.rows[3][6], 50_000, "higher"),
    ]
    table.notes = [
        "rates are medians over the rounds; 1 of 100 single messages is malformed and goes to quarantine",
        "ratio: msg/s to the bare one's; CPU ratio: its processor time a message to ours, steady on a busy machine",
    ]
    return table


def _row(what: str, count: int, rounds: list[Round], bare: list[Round] | None = None, readings: int = 1) -> list[Any]:
    rates = [count / each.seconds for each in rounds]
    cpu_us = _cpu_us(rounds, count)
    ratios = [None, None]
    if bare is not None:
        ratios = [median(rates) / median([count / each.seconds for each in bare]), _cpu_us(bare, count) / cpu_us]
    return [what, count, len(rounds), median(rates), min(rates), max(rates), median(rates) * readings, cpu_us, *ratios]


def _cpu_us(rounds: list[Round], count: int) -> float:
    return median([each.cpu_s for each in rounds]) / count * 1e6


def alternate(
    folder: Path, stream: Path, count: int, rounds: int, readings: int = 1
) -> tuple[list[Round], list[Round]]:
    """Rounds of (bare, gateway), taken by turns."""
    bare: list[Round] = []
    ours: list[Round] = []
    for turn in range(rounds):
        bare.append(bare_round(folder / f"{stream.stem}-bare-{turn}", stream, count))
        ours.append(gateway_round(folder / f"{stream.stem}-gateway-{turn}", stream, count * readings))
    return bare, ours


def bare_round(home: Path, stream: Path, count: int) -> Round:
    """Until a subscriber that does nothing has received the stream."""
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
        told = json.loads(said)
        return Round(told["last"] - began, told["cpu_s"])


def gateway_round(home: Path, stream: Path, rows: int) -> Round:
    """Until the gateway has made all rows of the stream durable and shown them in the city state."""
    settings = fresh_settings(home)
    with mosquitto(settings), gateway(settings) as process:
        receiver = psutil.Process(process.pid)
        before = receiver.cpu_times()
        publisher = publishing(settings.mqtt_url.rpartition(":")[2], stream)
        ended = wait_for_rows(settings, rows)
        after = receiver.cpu_times()
        began = first_packet(publisher)
    return Round(ended - began, after.user + after.system - before.user - before.system)
