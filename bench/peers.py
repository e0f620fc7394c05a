"""The nearest Python peer: thingsboard-gateway 3.8.5 with its SQLite store, beside our gateway, same broker and stream.

First as fast as each takes it: messages a second from the publisher's first packet to the last one that arrived at
a ThingsBoard that only counts (theirs, its 200 devices known before), or was durable and in the city state (ours). Then
at a steady rate with a SIGKILL in the middle and a restart at once: lost and doubled are counted at the ThingsBoard,
and in the lake after the load. The peer's environment is made on the first run under bench/peers/ (it brings a fork of
paho). On its way a message is stored and sent on; on ours it is validated, stored, in the state: alike, not the same.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from bench.lib import thingsboard
from bench.lib.mqtt_wire import write_stream
from bench.lib.ours import first_packet, fresh_settings, gateway, publishing, rows_seen, wait_for_rows
from bench.lib.processes import StepFailedError, end, mosquitto, tail
from bench.lib.streams import BUSES, bus_messages
from bench.lib.table import BenchTable, Goal, Options, workplace
from city.settings import Settings
from warehouse.load import load_segments
from warehouse.read import query

MESSAGES, KILLED_MESSAGES, RATE_S = 20_000, 10_000, 400.0
QUIET_S = 15.0
"""So long without a new message and nothing more comes (the peer's own retries take up to ten seconds)."""
START_S = 90.0


def run(options: Options) -> BenchTable:
    table = BenchTable(
        "Beside thingsboard-gateway 3.8.5", ["gateway", "msg/s", "sent, then SIGKILL", "lost", "doubled"]
    )
    thingsboard.program()
    with workplace(options, "peers") as folder:
        fast, killed = folder / "fast.stream", folder / "killed.stream"
        count = write_stream(fast, bus_messages("gorodok", options.sized(MESSAGES, 1_000), bad=False))
        sent = write_stream(killed, bus_messages("gorodok", options.sized(KILLED_MESSAGES, 2_000), bad=False))
        theirs = _theirs_fast(folder / "peer-fast", fast, count)
        ours = _ours_fast(folder / "ours-fast", fast, count)
        their_loss = _theirs_killed(folder / "peer-killed", killed, sent)
        our_loss = _ours_killed(folder / "ours-killed", killed, sent)
    table.rows = [["thingsboard-gateway", theirs, sent, *their_loss], ["gorodok", ours, sent, *our_loss]]
    table.goals = [
        Goal("messages/s, ours / theirs", ours / theirs, 1.0, "higher"),
        Goal("ours: lost and doubled", float(sum(our_loss)), 0, "lower"),
    ]
    table.notes = [f"SIGKILL in the middle of {sent} messages at {RATE_S:.0f}/s, restart at once"]
    return table


def _theirs_fast(folder: Path, stream: Path, count: int) -> float:
    settings, other = fresh_settings(folder), fresh_settings(folder / "thingsboard")
    broker, port = _port(settings), _port(other)
    with (
        mosquitto(settings),
        mosquitto(other),
        thingsboard.FakeThingsBoard(port) as board,
        thingsboard.gateway(folder, broker, port, settings.city) as process,
    ):
        _wait_until_it_delivers(folder, process, broker, settings.city, board)
        publisher = publishing(str(broker), stream)
        _until_quiet(board, count)
        began = first_packet(publisher)
        if not board.count():
            raise StepFailedError(f"nothing arrived: {tail(folder / 'gateway.log')}")
        return board.distinct() / (board.last_at - began)


def _theirs_killed(folder: Path, stream: Path, count: int) -> tuple[int, int]:
    settings, other = fresh_settings(folder), fresh_settings(folder / "thingsboard")
    broker, port = _port(settings), _port(other)
    with mosquitto(settings), mosquitto(other), thingsboard.FakeThingsBoard(port) as board:
        with thingsboard.gateway(folder, broker, port, settings.city) as process:
            _wait_until_it_delivers(folder, process, broker, settings.city, board)
            publisher = publishing(str(broker), stream, RATE_S)
            time.sleep(count / RATE_S / 2)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with thingsboard.gateway(folder, broker, port, settings.city):
            first_packet(publisher)
            _until_quiet(board, count, at_least_s=30)
        return count - board.distinct(), board.count() - board.distinct()


def _wait_until_it_delivers(
    folder: Path, process: subprocess.Popen[bytes], broker: int, city: str, board: thingsboard.FakeThingsBoard
) -> None:
    """Sends one message of each bus until all come through: then it is subscribed, and knows its devices
    (each new one costs it a message of its own)."""
    probe = folder / "probe.stream"
    write_stream(probe, bus_messages(city, BUSES, bad=False))
    deadline = time.monotonic() + START_S
    while board.distinct() < BUSES:
        if process.poll() is not None or time.monotonic() > deadline:
            raise StepFailedError(f"thingsboard-gateway delivers nothing: {tail(folder / 'gateway.log')}")
        if not board.count():
            first_packet(publishing(str(broker), probe))
        time.sleep(1)
    quiet = board.count()
    while time.sleep(3) or board.count() != quiet:
        quiet = board.count()
    board.forget()


def _until_quiet(board: thingsboard.FakeThingsBoard, count: int, at_least_s: float = 0.0) -> None:
    """Until all are there (and `at_least_s` have passed, for those that come twice), or nothing comes any more."""
    began = time.monotonic()
    seen, since = -1, began
    while True:
        now, moment = board.count(), time.monotonic()
        if now != seen:
            seen, since = now, moment
        if board.distinct() >= count and moment - began >= at_least_s:
            return
        if moment - since > QUIET_S and moment - began >= max(at_least_s, 2 * QUIET_S):
            return
        time.sleep(0.1)


def _ours_fast(folder: Path, stream: Path, count: int) -> float:
    settings = fresh_settings(folder)
    with mosquitto(settings), gateway(settings):
        publisher = publishing(str(_port(settings)), stream)
        ended = wait_for_rows(settings, count)
        return count / (ended - first_packet(publisher))


def _ours_killed(folder: Path, stream: Path, count: int) -> tuple[int, int]:
    settings = fresh_settings(folder)
    with mosquitto(settings):
        with gateway(settings) as process:
            publisher = publishing(str(_port(settings)), stream, RATE_S)
            time.sleep(count / RATE_S / 2)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with gateway(settings) as process:
            first_packet(publisher)
            _until_still(settings)
            end(process)
    load_segments(settings)
    rows, distinct = query(
        settings, "SELECT count(*), count(DISTINCT (vehicle_id, sequence)) FROM raw.vehicle_position"
    ).row(0)
    return count - distinct, rows - distinct


def _until_still(settings: Settings) -> None:
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 5:
        now = rows_seen(settings)
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.2)


def _port(settings: Settings) -> int:
    return int(settings.mqtt_url.rpartition(":")[2])
