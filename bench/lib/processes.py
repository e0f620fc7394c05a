"""Processes that a benchmark starts and always ends: brokers, gateways, and steps whose memory is measured."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from city.settings import ROOT, Settings
from ingest.broker.mosquitto import mosquitto_command

SAMPLE_S = 0.1


class StepFailedError(RuntimeError):
    """A process of the benchmark ended badly; the message holds the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the GORODOK_… variables of a child."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("GORODOK_")}
    return outer | {
        "GORODOK_HOME": str(settings.home),
        "GORODOK_MQTT_URL": settings.mqtt_url,
        "GORODOK_GATEWAY_PORT": str(settings.gateway_port),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, end_s: float = 60, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in `log`; asked to end, and killed when it does not within `end_s`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process, end_s)


def end(process: subprocess.Popen[bytes], end_s: float = 60) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(end_s)
    if process.poll() is None:
        process.kill()
        process.wait()


@contextmanager
def mosquitto(settings: Settings) -> Iterator[None]:
    """mosquitto with `deploy/mosquitto.conf` at the settings' address. Raises FileNotFoundError with the remedy."""
    log = settings.home / "mosquitto.log"
    with running(mosquitto_command(settings), log) as process:
        wait_for_port(int(settings.mqtt_url.rpartition(":")[2]), process, log)
        yield


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise StepFailedError(f"nothing listens on port {port}: {tail(log)}")
        time.sleep(0.02)


def tail(log: Path, characters: int = 2_000) -> str:
    return log.read_text(errors="replace")[-characters:] if log.exists() else "(no log)"


@dataclass(frozen=True, slots=True)
class Step:
    """peak_rss_bytes: of the process and all its children together, sampled ten times a second. output: stdout."""

    seconds: float
    peak_rss_bytes: int
    output: str


def step(command: Sequence[str | Path], env: Mapping[str, str], limit_s: float = 1_800) -> Step:
    """Runs a command to its end. Raises StepFailedError when it fails or takes longer than `limit_s`."""
    peak = 0
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as faults:
        clock = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=faults, stdin=subprocess.DEVNULL)
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _tree_rss(root))
            if time.monotonic() - clock > limit_s:
                _kill_tree(root)
                process.wait()
                raise StepFailedError(f"{command} took longer than {limit_s:.0f} s")
            time.sleep(SAMPLE_S)
        seconds = time.monotonic() - clock
        output.seek(0)
        faults.seek(0)
        said, complained = output.read(), faults.read()
    if process.returncode:
        raise StepFailedError(f"{command} ended with {process.returncode}:\n{said[-2_000:]}{complained[-2_000:]}")
    return Step(seconds, peak, said)


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _tree_rss(root: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def _kill_tree(root: psutil.Process) -> None:
    with suppress(psutil.Error):
        for process in (*root.children(recursive=True), root):
            with suppress(psutil.Error):
                process.kill()
