"""A whole chain on this machine for benchmarks and tests: broker, keys, a city of N doors, fleet, reflex process."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actuation.keys import KeyRing, change
from actuation.keys.identity import identity
from actuation.reflex.client import ReflexAwayError, ReflexClient, ReflexRefusedError
from bench.lib.processes import running, tail, wait_for_port
from city.geometry import features
from city.profile import load_city
from city.settings import ROOT, Settings
from ingest.broker.mosquitto import mosquitto_command
from simulator.fleet.city import write_city, zone_polygon
from simulator.life.alerts import Alert, Info
from simulator.speak.cap import cap_xml
from simulator.speak.cap_sign import CapSigner

SENDER = "edds@gorodok.example"
MISSILE = """
scenario: missile_alert
title: {ru: "Ракетная опасность", en: "Missile alert"}
mode: live
triggers:
  - {on: alert, events: ["ракетная опасность"], categories: [Safety, Security], severities: [Extreme, Severe]}
  - {on: button, confirm_within_s: 120}
steps:
  - {name: open_doors, do: command, action: unlock, kinds: [door], then: {action: lock, after_s: 0}}
  - {name: tell_duty, do: notify, audience: duty, template: take_shelter, severity: critical}
timers: {max_hold_s: 3600}
"""
SCENARIOS = {"missile_alert": MISSILE}


@dataclass
class Chain:
    """doors: zone → number. Processes are started by their methods and ended by `close`."""

    folder: Path
    doors: Mapping[str, int]
    scenarios: Mapping[str, str] | None = None
    broker: str = "mosquitto"
    environment: Mapping[str, str] = field(default_factory=dict)
    live_doors: bool = True
    """GORODOK_UNSAFE_LIVE_DOORS: this mosquitto is on loopback and has no access lists."""

    def __post_init__(self) -> None:
        self.zones = list(self.doors)
        cities = write_city(self.folder / "cities", self.doors, self.scenarios or SCENARIOS)
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(
            home=home, cities_dir=cities, mqtt_url=f"mqtt://127.0.0.1:{free_pair()}", reflex_port=steady_port(),
            gateway_port=steady_port(),
        )  # fmt: skip
        change.create(self.settings.keys_dir, "gorodok")
        self.signer = CapSigner(home)
        self.ring = KeyRing.load(self.settings)
        self.identities = self.folder / "identities.jsonl"
        devices = [each.properties for each in features(load_city(self.settings), "devices")]
        self.devices = [each for each in devices if each.kind == "door"]
        self.identities.write_text("".join(json.dumps(identity(self.ring, each)) + "\n" for each in self.devices))
        self._stack = ExitStack()
        self._fleets = 0

    def __enter__(self) -> Chain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    # processes

    def variables(self, **more: str) -> dict[str, str]:
        outer = {name: value for name, value in os.environ.items() if not name.startswith("GORODOK_")}
        ours = {
            "GORODOK_HOME": str(self.settings.home),
            "GORODOK_CITIES_DIR": str(self.settings.cities_dir),
            "GORODOK_MQTT_URL": self.settings.mqtt_url,
            "GORODOK_REFLEX_PORT": str(self.settings.reflex_port),
            "GORODOK_GATEWAY_PORT": str(self.settings.gateway_port),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        if self.live_doors:
            ours["GORODOK_UNSAFE_LIVE_DOORS"] = "1"
        return {**outer, **ours, **self.environment, **more}

    @property
    def port(self) -> int:
        return int(self.settings.mqtt_url.rpartition(":")[2])

    def start_broker(self) -> subprocess.Popen[bytes]:
        if self.broker == "mosquitto":
            command: Sequence[str] = mosquitto_command(self.settings)
        else:
            command = [sys.executable, "-m", "ingest.broker"]
        log = self.folder / "broker.log"
        process = self._stack.enter_context(running(command, log, self.variables(), 10))
        wait_for_port(self.port, process, log)
        self.broker_process = process
        return process

    def start_reflex(self, wait: bool = True, name: str = "reflex", **more: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"{name}.log"
        command = [sys.executable, "-m", "apps.cli", "reflex"]
        process = self._stack.enter_context(running(command, log, self.variables(**more), 15))
        if wait:
            self.wait_holding(process, log)
        return process

    def wait_holding(self, process: subprocess.Popen[bytes] | None, log: Path, seconds: float = 60) -> None:
        """Until the API says that a process holds the lease and is connected."""
        end = time.monotonic() + seconds
        while True:
            if process is not None and process.poll() is not None:
                raise AssertionError(f"the reflex process ended with {process.returncode}: {tail(log)}")
            try:
                with self.client() as client:
                    if client.health()["ok"]:
                        return
            except (ReflexAwayError, ReflexRefusedError):
                pass
            if time.monotonic() > end:
                raise AssertionError(f"no reflex process acts after {seconds:g} s: {tail(log)}")
            time.sleep(0.05)

    def start_fleet(self, *options: str, seconds: float = 240) -> Fleet:
        """All doors connected and subscribed when this returns."""
        self._fleets += 1
        truth = self.folder / f"truth-{self._fleets}"
        command = [sys.executable, "-m", "simulator.fleet", str(self.identities), "--url", self.fleet_url(),
                   "--truth", str(truth), *options]  # fmt: skip
        log = self.folder / f"fleet-{self._fleets}.log"
        process = self._stack.enter_context(running(command, log, self.variables(), 15))
        end = time.monotonic() + seconds
        while "ready" not in (log.read_text() if log.exists() else ""):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the fleet is not ready: {tail(log)}")
            time.sleep(0.05)
        count = int(options[options.index("--processes") + 1]) if "--processes" in options else 1
        return Fleet(process, truth, count)

    def fleet_url(self) -> str:
        """Devices speak 3.1.1; the embedded broker takes that on the port after."""
        port = self.port if self.broker == "mosquitto" else self.port + 1
        return f"mqtt://127.0.0.1:{port}"

    # hands

    def client(self, user: str = "test", role: Any = "admin") -> ReflexClient:
        return ReflexClient(self.settings, user=user, role=role)

    def alert(
        self, *zones: str, status: str = "Actual", event: str = "Ракетная опасность", msg_type: str = "Alert",
        references: Sequence[Any] = (), identifier: str | None = None, sent_s: float | None = None,
        expires_s: float = 1_800, response: str = "Shelter",
    ) -> bytes:  # fmt: skip
        """A signed CAP alert for these zones. references: "sender,identifier,sent" texts."""
        sent_s = float(int(time.time() if sent_s is None else sent_s))
        info = Info("ru-RU", "Safety", event, response, "Immediate", "Extreme", "Likely", event, event, "В укрытие",
                    ", ".join(zones))  # fmt: skip
        polygon = zone_polygon(self.zones.index(zones[0]))
        return cap_xml(
            Alert(
                identifier or f"test-{uuid.uuid4().hex[:12]}", SENDER, sent_s, sent_s + expires_s, status, msg_type,
                polygon, (info,), tuple(references),
            )
        )  # fmt: skip

    def signed(self, *zones: str, **more: Any) -> bytes:
        return self.signer.sign(self.alert(*zones, **more))


@dataclass
class Fleet:
    """A fleet process. truth(): one dict a device."""

    process: subprocess.Popen[bytes]
    path: Path
    processes: int

    def truth(self, seconds: float = 20) -> list[dict[str, Any]]:
        found = self._lines(seconds)
        return [line for line in found if "device_id" in line]

    def totals(self) -> dict[str, float]:
        """cpu_s, received, sent of all its processes."""
        lines = [line for line in self._lines(20) if "cpu_s" in line]
        return {name: sum(line[name] for line in lines) for name in ("cpu_s", "received", "sent", "lost")}

    def _lines(self, seconds: float) -> list[dict[str, Any]]:
        """Asked for now, and written by each process."""
        if self.process.poll() is None:
            for number in range(self.processes):
                self.path.with_suffix(f".ask{number}").touch()
            end = time.monotonic() + seconds
            while any(self.path.with_suffix(f".ask{number}").exists() for number in range(self.processes)):
                assert time.monotonic() < end, "the fleet does not answer"
                time.sleep(0.02)
        found = []
        for number in range(self.processes):
            found += [json.loads(line) for line in self.path.with_suffix(f".{number}").read_text().splitlines()]
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def free_pair() -> int:
    """A free port whose successor is free too (the embedded broker takes both)."""
    while True:
        port = steady_port()
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port + 1))
            return port


def steady_port() -> int:
    """A free port below those that the kernel gives to clients: a server that is killed finds it free again."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def until(what: Callable[[], Any], seconds: float = 20, each_s: float = 0.05) -> Any:
    """The first true answer; AssertionError when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds:g} s in vain"
        time.sleep(each_s)


@contextmanager
def chain(folder: Path, doors: Mapping[str, int], **more: Any) -> Iterator[Chain]:
    with Chain(folder, doors, **more) as made:
        made.start_broker()
        yield made


__all__ = ["MISSILE", "SCENARIOS", "SENDER", "Chain", "Fleet", "chain", "free_pair", "until"]
