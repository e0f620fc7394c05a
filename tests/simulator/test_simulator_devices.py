"""The simulator's devices answer the reflex process; its truth says the same as the ledger."""

from __future__ import annotations

import sys

import pytest

from actuation.ledger import read_ledger
from apps.cli.commands.keys import write_identities
from bench.lib.processes import running
from bench.lib.reflexes import Chain, until
from ingest.broker.mosquitto import find_mosquitto
from simulator.speak.controllers import identities_path
from simulator.truth import read_truth, truth_path

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_deaf_and_jammed_devices_of_the_simulator(tmp_path):
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    with Chain(tmp_path, {"za": 12}) as town:
        town.start_broker()
        town.start_reflex()
        identities = identities_path(town.settings)
        assert write_identities(town.settings, identities) == 12 + 3, "doors, and a siren, a display and a lamp"
        assert identities.stat().st_mode & 0o077 == 0
        faults = {"GORODOK_SIMULATOR_DEAF": "0.2", "GORODOK_SIMULATOR_JAMMED": "0.2", "GORODOK_SIMULATOR_SEED": "4",
                  "GORODOK_SIMULATOR_BACKFILL_DAYS": "0", "GORODOK_SIMULATOR_PORT": "0"}  # fmt: skip
        command = [sys.executable, "-m", "simulator"]
        with running(command, tmp_path / "simulator.log", town.variables(**faults), 20), town.client() as client:
            until(lambda: sum(row["sensed"] is not None for row in client.devices()) >= 8, 60)
            doors = {row["device_id"] for row in client.devices() if row["kind"] == "door"}
            client.send_cap("cap", town.signed("za"))

            def answered() -> bool:
                (found,) = client.runs()[0]["commands"]
                return bool(found["done"] + found["failed"] == 12 - len(deaf())) and found["done"] > 0

            def deaf() -> set[str]:
                facts = read_truth(truth_path(town.settings)) if truth_path(town.settings).exists() else ()
                return {fact["device_id"] for fact in facts if fact.get("did") == "deaf"} & doors

            until(answered, 30)
        said = [fact for fact in read_truth(truth_path(town.settings)) if fact["what"] == "command"]
        did = {fact["device_id"]: fact["did"] for fact in said}
        lines = read_ledger(town.settings.ledger_path)
        counted = {line.device_id: line.kind for line in lines if line.kind in ("acked", "failed")}
        assert counted == {
            name: {"done": "acked", "failed": "failed"}[what] for name, what in did.items() if what != "deaf"
        }
        assert {"done", "failed", "deaf"} <= set(did.values()), "the seed must give all three"
