"""The simulator as a process against a real mosquitto: its truth is what a plain subscriber gets."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from datetime import UTC, datetime

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


def test_silent_feeds_say_nothing(mosquitto, listen, simulator_process, home):
    mosquitto.start()
    listener = listen(mosquitto.port)
    port = free_port()
    process = simulator_process(backfill_days=0.1, silent=["camera_event", "trip_update"], port=port)
    wait_for(lambda: past_is_sent(home), 60)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/gtfs-rt/trip-updates.pb", timeout=5)
    assert stopped(process) == 0
    feeds = {topic.split("/")[3] for topic, _ in listener.messages}
    assert "camera_event" not in feeds
    assert "meter_reading" in feeds


def test_duration_ends_it_and_the_first_minute_has_a_critical_alert(mosquitto, simulator_process):
    mosquitto.start()
    port = free_port()
    process = simulator_process(backfill_days=0, duration_s=6, critical_alert_s=1, port=port)
    wait_for(lambda: answers(port), 30)
    index = f"http://127.0.0.1:{port}/cap/index.atom"
    wait_for(lambda: b"uav-" in urllib.request.urlopen(index, timeout=5).read(), 20)
    assert process.wait(40) == 0
