"""`gorodok pull` on a real broker: the parsed row to the gateway, the original bytes to the judge, once each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actuation.cap import Accepted, SeenAlerts, ZoneIndex, judge, load_cap_sources
from city.profile import load_city
from city.settings import ROOT, Settings
from ingest.adapters.cap import in_force
from ingest.contracts.alert import Alert
from simulator.speak.cap_sign import CapSigner
from tests.actuation.cap.listening import listening
from tests.actuation.cap.signing import alert
from tests.broker.conftest import RunningBroker


def fresh(identifier: str, hours: float = 1) -> bytes:
    """An alert of now for the whole of the demo city."""
    now = datetime.now(UTC).replace(microsecond=0)
    return alert(
        identifier=identifier,
        sender="edds@gorodok.example",
        sent=now.isoformat() if hours > 0 else (now - timedelta(hours=3)).isoformat(),
        expires=(now + timedelta(hours=hours)).isoformat(),
        area="<circle>57.6,39.9 3</circle>",
    )


def test_alerts_that_are_over_are_not_judged_again() -> None:
    assert in_force(fresh("a-1")) == [fresh("a-1")]
    assert in_force(fresh("a-1", hours=-1)) == []
    assert in_force(b"<!DOCTYPE x><alert/>") == [b"<!DOCTYPE x><alert/>"], "for the judge to refuse"


@pytest.mark.broker
@pytest.mark.slow
def test_both_ways_once_each(mosquitto: RunningBroker, tmp_path: Path) -> None:
    home, cities = tmp_path / "home", tmp_path / "cities"
    (cities / "gorodok").mkdir(parents=True)
    for file in (ROOT / "cities" / "gorodok").iterdir():
        (cities / "gorodok" / file.name).symlink_to(file)
    signer = CapSigner(home)
    folder = tmp_path / "alerts"
    folder.mkdir()
    original = signer.sign(fresh("a-1"))
    (folder / "1.xml").write_bytes(original)
    (folder / "2.xml").write_bytes(signer.sign(fresh("a-2", hours=-1)))
    (folder / "3.xml").write_bytes(signer.sign(fresh("a-3")).replace(b"Extreme", b"Minor"))
    (cities / "gorodok" / "sources.toml").unlink()
    (cities / "gorodok" / "sources.toml").write_text(
        f'[[source]]\ncode = "cap"\nadapter = "cap"\nurl = "{folder.as_uri()}"\n'
        f'[[source]]\ncode = "other"\nadapter = "cap"\nurl = "{folder.as_uri()}"\n'
    )
    settings = Settings(home=home, cities_dir=cities, mqtt_url=mosquitto.settings.mqtt_url)
    heard: list[tuple[str, bytes]] = []
    environment = os.environ | {
        "GORODOK_HOME": str(home), "GORODOK_CITIES_DIR": str(cities), "GORODOK_MQTT_URL": settings.mqtt_url
    }  # fmt: skip
    with listening(settings, "gorodok/v1/#", heard):
        command = [sys.executable, "-m", "apps.cli", "pull", "--once", "--only", "cap", "--json"]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        time.sleep(0.3)
    topics = [topic for topic, _ in heard]
    assert topics.count("gorodok/v1/gorodok/ctl/cap/cap") == 2, "not the one that is over"
    raw = [payload for topic, payload in heard if topic.endswith("/ctl/cap/cap")]
    assert raw[0] == original, "byte for byte"
    rows = [row for topic, payload in heard if topic == "gorodok/v1/gorodok/alert/pull" for row in json.loads(payload)]
    assert [row["identifier"] for row in rows] == ["a-1", "a-2", "a-3"]

    sources = load_cap_sources(settings)
    source, zones = sources.of("cap"), ZoneIndex.of(load_city(settings))
    assert source is not None
    verdicts = [judge(data, source, zones, SeenAlerts(), datetime.now(UTC), channel="pull") for data in raw]
    assert isinstance(verdicts[0], Accepted), verdicts[0]
    assert getattr(verdicts[1], "reason", "") == "signature"
    assert dict(verdicts[0].body) == rows[0], "the row that the reflex process lands is the one that pull landed"
    Alert.model_validate_json(json.dumps(rows[0]))
