"""The simulator's alerts are believed by the demo city, and by nobody who has not pinned its certificate."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from actuation.cap import Accepted, SeenAlerts, ZoneIndex, judge, load_cap_sources
from city.profile import load_city
from city.settings import Settings
from simulator.life.alerts import Alerts
from simulator.speak.cap import cap_xml
from simulator.speak.cap_sign import CapSigner


def test_the_demo_city_believes_its_simulator(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    city, now_s = load_city(settings), time.time()
    signer = CapSigner(tmp_path)
    assert (tmp_path / "simulator" / "cap-key.pem").stat().st_mode & 0o077 == 0
    sources = load_cap_sources(settings)
    source, zones, seen = sources.of("cap"), ZoneIndex.of(city, sources.geocodes), SeenAlerts()
    assert source is not None
    alerts = list(Alerts(city, 1, "Actual", now_s - 1_000).between(now_s - 2_000, now_s))
    assert [alert.msg_type for alert in alerts if alert.identifier.startswith("uav")] == ["Alert", "Update"]
    found = []
    for alert in alerts:
        data = signer.sign(cap_xml(alert))
        assert data == CapSigner(tmp_path).sign(cap_xml(alert)), "the same alert, the same bytes, after a restart too"
        verdict = judge(data, source, zones, seen, datetime.fromtimestamp(alert.sent_s + 1, UTC))
        assert isinstance(verdict, Accepted), verdict
        seen.add(verdict)
        found.append(verdict)
    assert {verdict.event.trust for verdict in found} == {"verified"}
    assert {verdict.zones for verdict in found} == {("dma-1", "dma-2", "dma-3")}
    assert found[-1].references == (found[-2].key,)


def test_another_installation_s_simulator_is_a_stranger(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    CapSigner(tmp_path)
    source = load_cap_sources(settings).of("cap")
    assert source is not None
    alert = next(Alerts(load_city(settings), 1, "Actual", time.time() - 60).between(time.time() - 90, time.time()))
    data = CapSigner(tmp_path / "other").sign(cap_xml(alert))
    verdict = judge(data, source, ZoneIndex.of(load_city(settings)), SeenAlerts(), datetime.now(UTC))
    assert getattr(verdict, "reason", None) == "stranger"
