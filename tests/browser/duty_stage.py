"""The pages, the demo's sign-in and a playing reflex process on free ports, for the duty page."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from actuation.reflex.server import Server
from apps.streamlit import signin
from apps.streamlit.serve import command
from city.settings import Settings
from tests.browser.serving import free_ports, process, wait_for
from tests.pages.reflex_sample import Play, serve, town


@dataclass
class Stage:
    settings: Settings
    play: Play
    reflex: Server
    address: str
    provider: str


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
        running.enter_context(process([sys.executable, "-m", "apps.signin"], home / "signin.log", environment))
        running.enter_context(process(command(chosen), home / "streamlit.log", environment))
        wait_for(f"{found.provider}/jwks")
        wait_for(f"{found.address}/_stcore/health")
        yield found
