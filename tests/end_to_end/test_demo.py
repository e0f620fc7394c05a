"""`gorodok demo` as a newcomer runs it: once through to the KPIs, and live until Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from city.settings import ROOT, Settings
from ingest.contracts import CONTRACTS
from simulator.truth import totals
from warehouse.lake import LakeMissingError
from warehouse.read import query

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each with a free one after it (the embedded broker takes two)."""
    sockets: list[socket.socket] = []
    ports: list[int] = []
    while len(ports) < count:
        one, two = socket.socket(), socket.socket()
        one.bind(("127.0.0.1", 0))
        try:
            two.bind(("127.0.0.1", one.getsockname()[1] + 1))
        except OSError:
            continue
        finally:
            sockets += [one, two]
        ports.append(one.getsockname()[1])
    for each in sockets:
        each.close()
    return ports


def surroundings(home: Path) -> dict[str, str]:
    broker, gateway, dagster, streamlit, simulator = free_ports(5)
    return {
        **os.environ,
        "GORODOK_HOME": str(home),
        "GORODOK_MQTT_URL": f"mqtt://127.0.0.1:{broker}",
        "GORODOK_GATEWAY_PORT": str(gateway),
        "GORODOK_DAGSTER_PORT": str(dagster),
        "GORODOK_STREAMLIT_PORT": str(streamlit),
        "GORODOK_SIMULATOR_PORT": str(simulator),
        "GORODOK_SEAL_S": "15",
    }


def keys_in_lake(settings: Settings, feed: str) -> set[tuple[str, ...]]:
    """A feed's keys as the truth file writes them: texts, times in RFC 3339 UTC."""
    return {
        tuple(map(plain, row))
        for row in query(settings, f"SELECT {', '.join(CONTRACTS[feed].spec.key)} FROM raw.{feed}").rows()
    }


def plain(cell: object) -> str:
    moment = getattr(cell, "timestamp", None)
    return f"{moment():.3f}" if moment is not None else str(cell)


def as_plain(key: tuple[object, ...]) -> tuple[str, ...]:
    from datetime import datetime

    words = []
    for cell in key:
        text = str(cell)
        is_time = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", text)
        words.append(f"{datetime.fromisoformat(text).timestamp():.3f}" if is_time else text)
    return tuple(words)


def test_once_through_to_the_kpis_and_equal_to_the_simulators_truth(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli", "demo", "--once", "60"],
        cwd=ROOT,
        env=surroundings(home),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-6_000:], done.stderr[-3_000:])
    assert done.returncode == 0
    settings = Settings(home=home)
    codes = query(settings, "SELECT count(DISTINCT code) FROM marts.mart_kpi_daily WHERE value IS NOT NULL").item()
    assert codes >= 12
    truth = totals(home / "simulator" / "truth.jsonl")
    compared = 0
    for feed, told in truth.items():
        if feed == "trip_update":
            continue  # a new prediction each second, of which a poll sees one
        found = keys_in_lake(settings, feed)
        sent = {as_plain(key) for key in told.keys}
        if sent:
            assert found == sent | (found & {as_plain(key) for key in told.served}), feed
            compared += len(sent)
    assert compared > 10_000
    assert query(settings, "SELECT count(*) FROM raw.complaint").item() > 0
    assert query(settings, "SELECT count(*) FROM raw.alert").item() > 0
    assert query(settings, "SELECT count(*) FROM ops.conflict").item() == 0


def test_live_until_interrupted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = surroundings(home)
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.cli", "demo"],
        cwd=ROOT,
        env=environment,
        stdout=(tmp_path / "out").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        said = wait(lambda: written(tmp_path / "out", process, "first figures"), 300)
        print(f"all addresses after {time.monotonic() - started:.0f} s\n{said}")
        for name in ("STREAMLIT", "DAGSTER"):
            address = f"http://127.0.0.1:{environment[f'GORODOK_{name}_PORT']}/"
            assert address in said
            with urllib.request.urlopen(address, timeout=10) as answer:
                assert answer.status == 200
        # nobody asks for it: Dagster's sensor sees a landed segment, loads it and builds what is made of it
        settings = Settings(home=home)
        rows = wait(lambda: kpis(settings), 400)
        print(f"{rows} KPI values after {time.monotonic() - started:.0f} s")
        family = [process, *psutil.Process(process.pid).children(recursive=True)]
        listening = {
            connection.laddr.ip
            for one in family
            for connection in connections(one.pid)
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening <= {"127.0.0.1", "::1"}, "everything listens on loopback"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
    left = [
        one
        for one in psutil.process_iter(["cmdline", "environ"])
        if str(home) in str((one.info["environ"] or {}).get("GORODOK_HOME"))
    ]
    assert left == [], [one.info["cmdline"] for one in left]


def connections(pid: int) -> list[Any]:
    """None of a process that has ended since it was listed: Dagster's runs come and go."""
    try:
        return list(psutil.Process(pid).net_connections("inet"))
    except psutil.NoSuchProcess:
        return []


def written(path: Path, process: subprocess.Popen[bytes], words: str) -> str | None:
    text = path.read_text()
    assert process.poll() is None, text
    return text if words in text else None


def kpis(settings: Settings) -> int | None:
    import duckdb

    try:
        return query(settings, "SELECT count(*) FROM marts.mart_kpi_daily WHERE value IS NOT NULL").item() or None
    except (LakeMissingError, duckdb.Error):
        return None


def wait(ready: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = ready()
        if found:
            return found
        assert time.monotonic() < end, "waited too long"
        time.sleep(1)
