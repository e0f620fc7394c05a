"""The simulator as a process against a real mosquitto: its truth is what a plain subscriber gets."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from simulator.memory import memory_path
from simulator.truth import read_truth, totals, truth_path

from .conftest import Listener, answers, free_port, wait_for

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def received(listener: Listener) -> tuple[dict[str, Counter], Counter]:
    """Feed → how often each key came; feed → how many refusals; by the contracts alone."""
    decoders = {feed: Decoder(contract) for feed, contract in CONTRACTS.items()}
    keys: dict[str, Counter] = defaultdict(Counter)
    refused: Counter = Counter()
    for topic, payload in listener.messages:
        feed = topic.split("/")[3]
        decoded = decoders[feed].decode(payload)
        refused[feed] += len(decoded.rejects)
        for row in decoded.good:
            keys[feed][tuple(text(getattr(row, name)) for name in CONTRACTS[feed].spec.key)] += 1
    return keys, refused


def text(value: object) -> object:
    """Times as the truth writes them."""
    if not isinstance(value, datetime):
        return value
    digits = "milliseconds" if value.microsecond else "seconds"
    return value.astimezone(UTC).isoformat(timespec=digits).replace("+00:00", "Z")


def past_is_sent(settings) -> bool:
    path = memory_path(settings)
    return path.exists() and time.time() - json.loads(path.read_text())["through_s"] < 12


def stopped(process) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def test_truth_is_what_a_subscriber_gets(mosquitto, listen, simulator_process, home):
    mosquitto.start()
    listener = listen(mosquitto.port)
    process = simulator_process(
        backfill_days=0.5, duplicates=0.05, malformed=0.01, gaps=0.01, out_of_order=0.05, skew=0.1, late_s=3
    )
    wait_for(lambda: past_is_sent(home), 120)
    time.sleep(5)
    assert stopped(process) == 0
    listener.quiet()
    keys, refused = received(listener)
    truth = totals(truth_path(home))
    assert set(keys) == set(truth) == {"vehicle_position", "meter_reading", "scada_reading", "camera_event"}
    for feed, known in truth.items():
        assert set(keys[feed]) == known.keys, feed
        assert sum(keys[feed].values()) == known.messages, feed
        assert refused[feed] == known.malformed, feed
    assert sum(known.malformed for known in truth.values()) > 100
    assert sum(known.duplicates for known in truth.values()) > 500
    assert len(truth["meter_reading"].keys) > 20_000


def test_every_message_is_good_by_default_and_batches_are_small(mosquitto, listen, simulator_process, home):
    mosquitto.start()
    listener = listen(mosquitto.port)
    process = simulator_process(backfill_days=0.25)
    wait_for(lambda: past_is_sent(home), 120)
    assert stopped(process) == 0
    listener.quiet()
    _, refused = received(listener)
    assert sum(refused.values()) == 0
    sizes = [len(json.loads(payload)) for _, payload in listener.messages if payload[:1] == b"["]
    assert max(sizes) <= 400
    assert max(len(payload) for _, payload in listener.messages) < 256 * 1024
    assert {topic.split("/")[2] for topic, _ in listener.messages} == {"gorodok"}


def test_broker_may_come_later_and_go_away(mosquitto, listen, simulator_process, home):
    port = free_port()
    simulator_process(backfill_days=0.02, port=port)
    wait_for(lambda: answers(port), 30)
    mosquitto.start()
    first = listen(mosquitto.port)
    wait_for(lambda: past_is_sent(home), 60)
    wait_for(lambda: len(first.messages) > 20, 60)
    mosquitto.stop()
    down = time.time()
    time.sleep(3)
    mosquitto.start()
    second = listen(mosquitto.port)
    wait_for(lambda: second.messages, 60)
    keys, _ = received(second)
    moments = [datetime.fromisoformat(key[1]).timestamp() for key in keys["vehicle_position"]]
    wait_for(lambda: len(received(second)[0]["vehicle_position"]) > 5, 60)
    assert min(moments, default=down) < down + 6, "what happened meanwhile is sent afterwards"


def test_restart_goes_on_where_it_was(mosquitto, listen, simulator_process, home):
    mosquitto.start()
    listener = listen(mosquitto.port)
    process = simulator_process(backfill_days=0.1)
    wait_for(lambda: past_is_sent(home), 60)
    assert stopped(process) == 0
    first = len(list(read_truth(truth_path(home))))
    process = simulator_process(backfill_days=0.1)
    wait_for(lambda: len(list(read_truth(truth_path(home)))) > first + 5, 60)
    assert stopped(process) == 0
    listener.quiet()
    keys, _ = received(listener)
    assert max(count for feed in keys.values() for count in feed.values()) == 1, "nothing is sent twice"
    boots = {row["boot_id"] for _, payload in listener.messages for row in rows(payload)}
    assert len(boots) == 2


def rows(payload: bytes) -> list[dict]:
    found = json.loads(payload)
    return found if isinstance(found, list) else [found]


def command(device_id: str, action: str, **other: object) -> dict:
    now = datetime.now(UTC)
    base = {
        "command_id": f"c-{device_id}-{action}",
        "device_id": device_id,
        "action": action,
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(seconds=30)).isoformat(),
        "attempt": 1,
        "mode": "live",
        "trigger_feed": "alert",
        "trigger_key": "a|b|c",
    }
    return base | other


def test_devices_answer_by_the_contract(mosquitto, listen, simulator_process, home):
    mosquitto.start()
    listener = listen(mosquitto.port)
    port = free_port()
    process = simulator_process(backfill_days=0, port=port)
    wait_for(lambda: past_is_sent(home), 60)
    late = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    for sent in (
        command("door-shelter-01", "unlock"),
        command("door-shelter-01", "unlock"),
        command("door-shelter-02", "unlock", mode="drill"),
        command("lamp-crossing-01", "light_on", expires_at=late),
        command("siren-dma-1", "unlock"),
        command("door-nowhere", "unlock"),
    ):
        listener.client.publish(f"gorodok/v1/gorodok/device_command/{sent['device_id']}", json.dumps(sent), qos=1)
    listener.client.publish("gorodok/v1/gorodok/device_command/display-s-01", b"\xff{", qos=1)

    def got() -> list[dict]:
        return [json.loads(payload) for topic, payload in listener.messages if "/device_answer/" in topic]

    wait_for(lambda: len(got()) >= 5, 20)
    assert stopped(process) == 0
    found = got()
    for one in found:
        CONTRACTS["device_answer"].model_validate_json(json.dumps(one))
    results = Counter((one["device_id"], one["result"]) for one in found)
    assert results == {
        ("door-shelter-01", "done"): 2,
        ("door-shelter-02", "would_do"): 1,
        ("lamp-crossing-01", "refused"): 1,
        ("siren-dma-1", "refused"): 1,
    }
    assert len({one["answered_at"] for one in found if one["result"] == "done"}) == 1, "a repeat gets the first answer"
    did = Counter(fact["did"] for fact in read_truth(truth_path(home)) if fact["what"] == "command")
    assert did == {"done": 2, "would_do": 1, "refused": 2, "not understood": 1}


def test_deaf_devices_stay_silent_and_silent_feeds_too(mosquitto, listen, simulator_process, home):
    mosquitto.start()
    listener = listen(mosquitto.port)
    port = free_port()
    process = simulator_process(backfill_days=0.1, deaf=1.0, silent=["camera_event", "trip_update"], port=port)
    wait_for(lambda: past_is_sent(home), 60)
    sent = command("door-shelter-01", "unlock")
    listener.client.publish("gorodok/v1/gorodok/device_command/door-shelter-01", json.dumps(sent), qos=1)
    wait_for(lambda: any(fact["what"] == "command" for fact in read_truth(truth_path(home))), 20)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/gtfs-rt/trip-updates.pb", timeout=5)
    assert stopped(process) == 0
    feeds = {topic.split("/")[3] for topic, _ in listener.messages}
    assert not feeds & {"camera_event", "device_answer"}
    assert "meter_reading" in feeds


def test_duration_ends_it_and_the_first_minute_has_a_critical_alert(mosquitto, simulator_process):
    mosquitto.start()
    port = free_port()
    process = simulator_process(backfill_days=0, duration_s=6, critical_alert_s=1, port=port)
    wait_for(lambda: answers(port), 30)
    index = f"http://127.0.0.1:{port}/cap/index.atom"
    wait_for(lambda: b"uav-" in urllib.request.urlopen(index, timeout=5).read(), 20)
    assert process.wait(40) == 0
