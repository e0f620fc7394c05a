"""Dagster's part of the chain on the real one: mosquitto, the reflex process, simulated doors, the gateway, the lake.

Two of six doors are deaf. They are sent the command again, twice, then a person is told, in the ledger and by an
incident; when they hear again and a drill reaches them, the incident closes. What landed of it passes the audit.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from actuation.ledger import read_ledger
from bench.lib.processes import running
from bench.lib.reflexes import Chain, until
from city.profile import load_city
from ingest.broker.mosquitto import find_mosquitto
from orchestration.defs import incidents, reflexes
from orchestration.lib.audit import audit_day
from orchestration.lib.incidents import open_incidents
from warehouse.load import load_segments
from warehouse.read import query

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.timeout(300)]
DOORS = 6


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Chain]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    with Chain(tmp_path, {"za": DOORS}) as made:
        made.start_broker()
        command = [sys.executable, "-m", "apps.cli", "gateway"]
        with running(command, tmp_path / "gateway.log", made.variables(GORODOK_SEAL_S="1"), 20):
            made.start_reflex()
            yield made


class Ticks:
    """The sensor as the daemon calls it, and its runs in this process."""

    def __init__(self, town: Chain) -> None:
        self._definitions = dg.Definitions.merge(
            reflexes.definitions(town.settings), incidents.definitions(town.settings)
        )
        self._sensor = self._definitions.get_repository_def().get_sensor_def("unanswered_sensor")
        self._cursor: str | None = None
        self.runs: Counter[str] = Counter()

    def once(self) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            result: Any = self._sensor(dg.build_sensor_context(instance=instance, cursor=self._cursor))  # type: ignore[operator]
            assert isinstance(result, dg.SensorResult), result.skip_message
            self._cursor = result.cursor
            for request in result.run_requests or ():
                self.runs[str(request.job_name)] += 1
                job = self._definitions.resolve_job_def(str(request.job_name))
                assert job.execute_in_process(run_config=request.run_config, instance=instance).success

    def until(self, what: Any, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"waited {seconds:g} s in vain: {self.runs}"
            self.once()
            time.sleep(1)


def kinds(town: Chain) -> Counter[str]:
    return Counter(line.kind for line in read_ledger(town.settings.ledger_path))


def test_silent_doors_are_retried_escalated_and_closed_when_they_answer(town: Chain) -> None:
    fleet = town.start_fleet("--deaf", "0.34", "--seed", "5")
    deaf = sorted(each["device_id"] for each in fleet.truth() if each["deaf"])
    assert 0 < len(deaf) < DOORS, "choose another seed"
    ticks = Ticks(town)
    with town.client() as client:
        (run_id,) = client.send_cap("cap", town.signed("za"))["runs"]
        until(lambda: client.runs()[0]["commands"][0]["done"] == DOORS - len(deaf))
        ticks.until(lambda: ticks.runs[reflexes.ESCALATE])
        assert ticks.runs == {reflexes.RETRY: 2, reflexes.ESCALATE: 1}
        assert (kinds(town)["retried"], kinds(town)["escalated"]) == (2 * len(deaf), len(deaf))
        (incident,) = until(lambda: [one for one in open_incidents(town.settings) if one.subject == run_id])
        assert (incident.kind, incident.severity) == ("command_unanswered", "critical")
        assert all(device in (incident.detail or "") for device in deaf)
        ticks.once()
        assert ticks.runs[reflexes.ESCALATE] == 1  # a person is told once
        client.press("missile_alert", "all_clear", ["za"])
        fleet.stop()
        town.start_fleet()
        client.press("missile_alert", "drill", ["za"])
        ticks.until(lambda: not open_incidents(town.settings))
    assert kinds(town)["escalated"] == len(deaf)


def test_what_a_real_process_wrote_passes_the_audit_in_the_lake(town: Chain) -> None:
    town.start_fleet()
    with town.client() as client:
        client.send_cap("cap", town.signed("za"))
        client.press("missile_alert", "all_clear", ["za"])
        until(lambda: client.runs(past=True))
        until(lambda: client.status()["ledger"]["not_in_the_lake_yet"] == 0, 30)
        written = client.status()["ledger"]["seq"]

    def loaded() -> bool:
        load_segments(town.settings)
        found = query(town.settings, "SELECT count(*) AS n FROM raw.ledger_entry").item()
        return bool(found >= written)

    until(loaded, 60, 1.0)
    today = datetime.now(load_city(town.settings).timezone).date()
    audit = audit_day(town.settings, today)
    assert (audit.chain, audit.replay, audit.other_version) == ([], [], 0)
    assert audit.events >= 2
    assert audit.effects >= 2
