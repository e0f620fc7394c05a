"""Our gateway and the publisher as processes, and the moment at which rows are durable and visible."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bench.lib.processes import StepFailedError, environment, free_port, python, running, tail
from city.settings import ROOT, Settings

STALL_S = 20.0
"""So long without a new row, and nothing more comes."""


def fresh_settings(home: Path) -> Settings:
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


def publishing(port: str, stream: Path, rate_s: float | None = None) -> subprocess.Popen[str]:
    command = python("-m", "bench.lib.mqtt_wire", port, str(stream), *([] if rate_s is None else [str(rate_s)]))
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def publish(port: str, stream: Path) -> float:
    return first_packet(publishing(port, stream))


def first_packet(publisher: subprocess.Popen[str]) -> float:
    said, _ = publisher.communicate(timeout=300)
    return float(json.loads(said)["first"])
