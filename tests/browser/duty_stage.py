"""The pages, the demo's sign-in and a playing reflex process on free ports, for the duty page."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from actuation.reflex.server import Server
from apps.streamlit import signin
from apps.streamlit.serve import command
from city.settings import ROOT, Settings
from tests.pages.reflex_sample import CITY, Play, serve

SCENARIO = """
scenario: missile_alert
title: {ru: "Ракетная опасность: укрытия", en: "Missile alert: shelters"}
triggers:
  - {on: alert}
  - {on: button, confirm_within_s: 120}
steps:
  - {do: command, action: unlock, kinds: [door]}
"""


@dataclass
class Stage:
    settings: Settings
    play: Play
    reflex: Server
    address: str
    provider: str


def free_ports(count: int) -> list[int]:
    """Held together while they are asked for, so that they differ."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def town(home: Path) -> Path:
    """A copy of the demo city with one scenario of known words; the folder of cities."""
    shutil.copytree(CITY, home / "cities" / "gorodok")
    folder = home / "cities" / "gorodok" / "scenarios"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "missile_alert.yaml").write_text(SCENARIO, encoding="utf-8")
    return home / "cities"


@contextmanager
def stage(home: Path) -> Iterator[Stage]:
    ports = free_ports(3)
    chosen = Settings(
        home=home, cities_dir=town(home), streamlit_port=ports[0], signin_port=ports[1], reflex_port=ports[2],
        gateway_port=1, demo_signin=True,
    )  # fmt: skip
    environment = os.environ | {
        "GORODOK_HOME": str(home), "GORODOK_CITIES_DIR": str(chosen.cities_dir), "GORODOK_GATEWAY_PORT": "1",
        "GORODOK_STREAMLIT_PORT": str(ports[0]), "GORODOK_SIGNIN_PORT": str(ports[1]),
        "GORODOK_REFLEX_PORT": str(ports[2]), "GORODOK_DEMO_SIGNIN": "true",
    }  # fmt: skip
    signin.prepare(chosen)
    play, reflex = serve(chosen)
    found = Stage(chosen, play, reflex, f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}")
    with ExitStack() as running:
        running.callback(reflex.stop)
        running.enter_context(_process([sys.executable, "-m", "apps.signin"], home / "signin.log", environment))
        running.enter_context(_process(command(chosen), home / "streamlit.log", environment))
        wait_for(f"{found.provider}/jwks")
        wait_for(f"{found.address}/_stcore/health")
        yield found


@contextmanager
def _process(words: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as sink:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
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
