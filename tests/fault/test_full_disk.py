"""A full disk: nothing is acknowledged that is not durable, and all of it arrives when space returns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from city.settings import Settings
from ingest.publish import Publisher
from tests.broker.conftest import free_pair
from tests.fault.test_no_loss import Victim, broker, health, wait_for_silence
from warehouse.load import load_segments
from warehouse.read import query

MESSAGES = 3_000


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Four megabytes; needs root."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def message(number: int) -> bytes:
    moment = datetime.now(UTC) - timedelta(minutes=2) + timedelta(milliseconds=number)
    return json.dumps(
        {
            "vehicle_id": f"bus-{number}",
            "timestamp": moment.isoformat(),
            "latitude": 57.6,
            "longitude": 39.9,
            "sequence": number,
        }
    ).encode()


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.parametrize("killed_while_full", [False, True])
def test_full_disk_stops_acknowledging_and_recovers(killed_while_full: bool, tmp_path: Path) -> None:
    port = free_pair()
    settings = Settings(
        home=tmp_path / "home", mqtt_url=f"mqtt://127.0.0.1:{port}", gateway_port=free_pair(), seal_s=1.0
    )
    settings.home.mkdir()
    with small_disk(settings.landing_dir), broker("mosquitto", settings):
        gateway = Victim(["-m", "apps.cli", "gateway"], settings, tmp_path / "gateway.log")
        wait(lambda: (health(settings) or {}).get("connected"))
        ballast = settings.landing_dir / "ballast"
        fill(ballast)
        with Publisher(settings, "full-disk") as publisher:
            for number in range(MESSAGES):
                publisher.publish("vehicle_position", f"bus-{number}", message(number))
            publisher.drain(60)
        wait(lambda: "stalled" in told(settings))
        if killed_while_full:
            gateway.kill()
            gateway.start()
        ballast.unlink()
        wait(lambda: (health(settings) or {}).get("stalled") is None and (health(settings) or {}).get("connected"))
        wait_for_silence(settings, gateway)
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(60) == 0
        load_segments(settings)
        arrived = query(settings, "SELECT sequence FROM raw.vehicle_position ORDER BY 1")["sequence"].to_list()
        assert arrived == list(range(MESSAGES))
        failures = query(settings, "SELECT reason FROM raw.ingest_outcome WHERE stage = 'flush' AND NOT success")
        assert killed_while_full or "No space left" in failures["reason"][0]


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(b"\0" * 4096)
        except OSError:
            return


def told(settings: Settings) -> str:
    """What /health says in its trouble: a stalled gateway answers 503."""
    import urllib.error
    import urllib.request

    try:
        urllib.request.urlopen(f"http://127.0.0.1:{settings.gateway_port}/health", timeout=5)
    except urllib.error.HTTPError as error:
        body = json.load(error)
        return "stalled" if body["stalled"] and "No space" in body["stalled"] else str(body["trouble"])
    return "well"


def wait(ready: object, seconds: float = 60) -> None:
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)
