"""What the brokers really hold, and that the probe says so: with our configurations, and with defaults that lose."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import pytest

from city.settings import ROOT, Settings
from ingest.broker.embedded import NotEmbeddableError, config_toml, listeners
from ingest.broker.mosquitto import CONF, fill_conf
from ingest.broker.probe import probe_broker
from ingest.broker.probing import Session
from tests.broker.conftest import free_pair


@pytest.mark.slow
def test_with_our_configuration_nothing_acknowledged_is_lost(broker):
    probe = probe_broker(broker.settings, messages=20_000)
    print(probe)
    assert (probe.problem, probe.asked, probe.held, probe.in_order) == (None, 20_000, 20_000, True)
    assert probe.retained
    assert probe.payload_passed
    assert "5" in probe.versions
    assert probe.good, probe.findings()


def test_a_mosquitto_with_defaults_loses_and_the_probe_says_what_to_set(tmp_path, mosquitto):
    """Debian's defaults keep 1,000 (max_queued_messages) of what they acknowledged."""
    mosquitto.stop()
    port = mosquitto.settings.mqtt_url.rpartition(":")[2]
    (tmp_path / "broker" / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    mosquitto.start()
    probe = probe_broker(mosquitto.settings, messages=3_000)
    assert probe.asked == 3_000
    assert 900 <= probe.held <= 1_100
    assert not probe.good
    bad = {finding.text: finding.remedy for finding in probe.findings() if not finding.good}
    assert any("max_queued_messages 0" in remedy for remedy in bad.values())
    assert any("max_inflight_messages 1000" in remedy for remedy in bad.values())


def test_the_probe_leaves_nothing_behind(mosquitto):
    settings = mosquitto.settings
    probe_broker(settings, messages=50)
    with Session(settings, "later") as later:
        later.subscribe("gorodok/probe/#")
        assert not later.wait_for(lambda: bool(later.received), 0.5), "a retained message is still there"
        later.subscribe("$SYS/broker/clients/#")
    log = mosquitto.log.read_text()
    assert "gorodok" not in log.replace(str(settings.home), "")
    mosquitto.stop()
    mosquitto.start()  # a session that was left would be restored from the database
    database = settings.home / "broker" / "data" / "mosquitto.db"
    assert b"probe-" not in database.read_bytes()


def test_no_broker_is_a_finding_and_no_exception(tmp_path):
    probe = probe_broker(Settings(home=tmp_path, mqtt_url="mqtt://127.0.0.1:9"))
    (finding,) = probe.findings()
    assert not finding.good
    assert "127.0.0.1:9" in finding.text


def test_something_that_is_no_broker_is_a_finding(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        probe = probe_broker(Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{deaf.getsockname()[1]}"))
    assert probe.reachable
    assert probe.versions == []
    assert "no answer to CONNECT" in probe.problem or "cut the line" in probe.problem


def test_the_embedded_broker_speaks_both_versions_on_loopback_only(embedded):
    settings = embedded.settings
    port = int(settings.mqtt_url.rpartition(":")[2])
    three = settings.model_copy(update={"mqtt_version": "3.1.1", "mqtt_url": f"mqtt://127.0.0.1:{port + 1}"})
    with Session(settings, "five") as new, Session(three, "three") as old:
        new.subscribe("gorodok/v1/gorodok/+/+")
        old.publish("gorodok/v1/gorodok/alert/p", b"from an old device")
        assert new.wait_for(lambda: new.received == [b"from an old device"], 5)
    listening = subprocess.run(["ss", "-ltn"], text=True, capture_output=True, check=True).stdout
    ours = [
        line.split()[3] for line in listening.splitlines() if line.split()[3].endswith((f":{port}", f":{port + 1}"))
    ]
    assert sorted(ours) == [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]


def test_the_embedded_broker_ends_on_sigterm_and_frees_its_ports(embedded):
    assert "broker ready: 127.0.0.1:" in embedded.log.read_text()
    embedded.process.send_signal(signal.SIGTERM)
    assert embedded.process.wait(5) == 0
    embedded.start()


def test_a_port_that_is_taken_is_said_at_once(embedded):
    command = [sys.executable, "-m", "ingest.broker"]
    env = {"GORODOK_MQTT_URL": embedded.settings.mqtt_url, "PATH": "/usr/bin"}
    started = time.monotonic()
    second = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=30, check=False)
    assert second.returncode == 2
    assert "Address already in use" in second.stderr
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://10.0.0.5:1883", "listens on loopback only"),
        ("mqtts://127.0.0.1:8883", "TLS or a user"),
        ("mqtt://user@127.0.0.1:1883", "TLS or a user"),
        ("mqtt://127.0.0.1:65535", "the port after it"),
    ],
)
def test_what_the_embedded_broker_cannot_be(tmp_path, url, words):
    with pytest.raises(NotEmbeddableError, match=words):
        listeners(Settings(home=tmp_path, mqtt_url=url))


def test_clients_of_3_1_1_find_their_version_at_the_url(tmp_path):
    settings = Settings(home=tmp_path, mqtt_url="mqtt://127.0.0.1:1893", mqtt_version="3.1.1")
    assert (listeners(settings).three, listeners(settings).five) == (1893, 1894)
    assert 'listen = "127.0.0.1:1893"' in config_toml(settings)


def test_the_shipped_conf_has_the_lines_that_are_filled_in(tmp_path):
    port = free_pair()
    settings = Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{port}")
    filled = fill_conf(CONF.read_text(), settings, tmp_path)
    assert f"\nlistener {port} 127.0.0.1\n" in filled
    assert f"\npersistence_location {tmp_path}/\n" in filled
    with pytest.raises(ValueError, match="'listener' stands 0 times"):
        fill_conf("persistence true\n", settings, tmp_path)


@pytest.mark.fault
def test_a_stopped_mosquitto_keeps_what_waits(mosquitto):
    settings = mosquitto.settings
    with Session(settings, "gateway", persistent=True) as gateway:
        gateway.subscribe("gorodok/v1/gorodok/+/+")
    with Session(settings, "device") as device:
        for number in range(2_000):
            device.publish("gorodok/v1/gorodok/alert/p", b"%d" % number)
        device.wait_until_acknowledged()
    mosquitto.stop()
    mosquitto.start()
    with Session(settings, "gateway", persistent=True) as gateway:
        assert gateway.wait_for(lambda: len(gateway.received) == 2_000, 10)
    Session.forget(settings, "gateway")
