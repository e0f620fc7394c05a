"""Servers for a browser: processes with a log, pages over a sample city, and waiting until they answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from apps.streamlit.serve import command
from city.settings import ROOT, Settings

SCREENS = ROOT / "artefacts" / "screens"
# On a deep link Streamlit's front end looks for its server below the page's path first, and then at the root.
PROBES = ("/_stcore/health - Failed to load resource", "/_stcore/host-config - Failed to load resource")


def free_ports(count: int) -> list[int]:
    """Held together while they are asked for, so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def process(words: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Ended with SIGTERM; the end of its log is printed for a test that fails."""
    with log.open("wb") as sink:
        started = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(20)
        print(log.name, log.read_text(errors="replace")[-3_000:], file=sys.stderr)


def wait_for(url: str) -> None:
    ends = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


@contextmanager
def pages(home: Path, fill: Callable[[Settings], None]) -> Iterator[str]:
    """The staff's pages over what `fill` writes, without a gateway; gives their address."""
    (port,) = free_ports(1)
    chosen = Settings(home=home, streamlit_port=port, gateway_port=1)
    fill(chosen)
    environment = os.environ | {
        "GORODOK_HOME": str(home), "GORODOK_STREAMLIT_PORT": str(port), "GORODOK_GATEWAY_PORT": "1",
    }  # fmt: skip
    with process(command(chosen), home / "streamlit.log", environment):
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
