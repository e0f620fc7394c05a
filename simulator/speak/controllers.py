"""The town's doors, lamps, sirens and displays as device.Controllers, each with a connection and a key of its own.

They need identities that only the holder of the keys can make: `gorodok keys identities` (the demo does it) writes
GORODOK_HOME/simulator/devices.jsonl, one a line. Until that file is there no device is; the town lives without them.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from city.settings import Settings
from ingest.broker.address import parse_address
from simulator import chance
from simulator.fleet.devices import Faults, SimulatedDevice, identity_of
from simulator.fleet.loop import Fleet
from simulator.options import Options
from simulator.truth import Truth

log = logging.getLogger(__name__)

POLL_S = 1.0


def identities_path(settings: Settings) -> Path:
    return settings.home / "simulator" / "devices.jsonl"


class _Noted(SimulatedDevice):
    """Tells the truth of each command as it comes: deaf, or the answer's result."""

    truth_file: Truth

    def receive(self, topic: str, payload: bytes) -> Iterable[tuple[str, bytes]]:
        known = set(self.seen.answers)
        out = super().receive(topic, payload)
        if self.faults.deaf and ("/zone/" in topic or "/command/" in topic):
            self.truth_file.note("command", device_id=self.identity.device_id, did="deaf")
            self.truth_file.flush()
        self._tell(known)
        return out

    def tick(self) -> Iterable[tuple[str, bytes]]:
        known = set(self.seen.answers)
        out = super().tick()
        self._tell(known)
        return out

    def _tell(self, known: set[str]) -> None:
        for command_id in self.seen.answers.keys() - known:
            said = json.loads(self.seen.answers[command_id].rpartition(".")[0])
            facts = {"device_id": self.identity.device_id, "command_id": command_id, "state": said["state"]}
            self.truth_file.note("command", did=said["result"], **facts)
            self.truth_file.flush()


class Controllers:
    """A thread with the epoll loop. Faults are drawn from the options' seed: always the same devices are deaf."""

    def __init__(self, settings: Settings, options: Options, truth: Truth) -> None:
        self._settings, self._options, self._truth = settings, options, truth
        self._stop = threading.Event()
        self._fleet: Fleet | None = None
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._fleet is not None:
            self._fleet.stop()
        self._thread.join(5)

    def _run(self) -> None:
        path = identities_path(self._settings)
        while not path.exists():
            if self._stop.wait(POLL_S):
                return
        address = parse_address(self._settings.mqtt_url)
        if address.tls or address.user is not None:
            log.warning("simulated devices speak plain MQTT without a user: none is connected to %s", address)
            return
        level = 5 if self._settings.mqtt_version == "5" else 4
        fleet = self._fleet = Fleet(address.host, address.port, 0.5, level)
        for line in path.read_text().splitlines():
            device = _Noted(identity := identity_of(json.loads(line)), self._faults(json.loads(line)["device_id"]))
            device.truth_file = self._truth
            fleet.add(f"device-{identity.device_id}", device)
        if not self._stop.is_set():
            fleet.run()
        fleet.close()

    def _faults(self, device_id: str) -> Faults:
        seed = self._options.seed
        deaf = chance.share(seed, "deaf", device_id) < self._options.deaf
        return Faults(deaf, not deaf and chance.share(seed, "jammed", device_id) < self._options.jammed)
