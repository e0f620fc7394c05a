"""Misbehaviour: every spoilt message breaks its contract, and the truth knows of each."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from simulator import chance
from simulator.faults import SPOILERS, Faults
from simulator.life.source import Reading
from simulator.options import Options
from simulator.outbox import Outbox
from simulator.truth import Truth, totals

NOW = 1_795_000_000.0


def readings(count: int) -> list[Reading]:
    return [
        Reading(
            "meter_reading", "radio", f"wm-{number % 50}", NOW + number, "event_time",
            {"meter_id": f"wm-{number % 50}", "medium": "cold_water", "volume_m3": 1.5},
        )
        for number in range(count)
    ]  # fmt: skip


def posted(tmp_path, count: int = 4_000, **options):
    sent: list[tuple[str, bytes]] = []
    path = tmp_path / "truth.jsonl"
    truth = Truth(path)
    outbox = Outbox("gorodok", Options(**options), truth, lambda topic, payload: sent.append((topic, payload)))
    outbox.post(readings(count))
    outbox.drain()
    truth.close()
    return sent, totals(path).get("meter_reading")


@pytest.mark.parametrize("how", sorted(SPOILERS))
def test_each_way_of_spoiling_is_refused_once(how):
    reading = readings(1)[0]
    message = reading.content | {"event_time": "2026-11-18T07:06:40Z", "boot_id": "b", "sequence": 1}
    decoder = Decoder(CONTRACTS["meter_reading"])
    assert len(decoder.decode(json.dumps(message).encode()).good) == 1
    decoded = decoder.decode(SPOILERS[how](dict(message), reading))
    assert (len(decoded.good), len(decoded.rejects)) == (0, 1)


def test_well_behaved_by_default(tmp_path):
    sent, truth = posted(tmp_path)
    assert len(sent) == 10, "arrays of 400"
    assert truth.messages == len(truth.keys) == 4_000
    assert (truth.duplicates, truth.malformed, truth.lost) == (0, 0, 0)


def test_faults_come_in_the_share_asked_for_and_truth_counts_them(tmp_path):
    sent, truth = posted(tmp_path, duplicates=0.05, malformed=0.01, gaps=0.02, out_of_order=0.1)
    decoder = Decoder(CONTRACTS["meter_reading"])
    decoded = [decoder.decode(payload) for _, payload in sent]
    got = [(row.meter_id, row.event_time) for one in decoded for row in one.good]
    assert sum(len(one.rejects) for one in decoded) == truth.malformed == pytest.approx(40, abs=20)
    assert len(got) == truth.messages
    assert len(set(got)) == len(truth.keys) == 4_000 - truth.malformed - truth.lost
    assert truth.duplicates == len(got) - len(set(got)) == pytest.approx(200, abs=45)
    assert truth.lost == pytest.approx(80, abs=30)
    times = [moment for _, moment in got]
    assert times != sorted(times)


def test_lost_messages_are_gaps_in_the_numbers(tmp_path):
    sent, truth = posted(tmp_path, gaps=0.05)
    rows = [row for _, payload in sent for row in json.loads(payload)]
    numbers: dict[str, list[int]] = {}
    for row in rows:
        numbers.setdefault(row["meter_id"], []).append(row["sequence"])
    assert len({row["boot_id"] for row in rows}) == 1
    inner = sum(max(found) - min(found) + 1 - len(found) for found in numbers.values())
    assert 0 < inner <= truth.lost


def test_wrong_clocks_are_of_devices_and_half_of_them_ahead(tmp_path):
    faults = Faults(Options(skew=0.5, skew_s=3_600))
    counts = Counter(faults.skew_s(f"device-{number}") for number in range(400))
    assert set(counts) == {0.0, 3_600.0, -3_600.0}
    assert counts[0.0] == pytest.approx(200, abs=45)
    assert counts[3_600.0] == pytest.approx(100, abs=35)
    sent, _ = posted(tmp_path, skew=1.0)
    assert all(row["event_time"] != "2026-11-18T11:06:40Z" for row in json.loads(sent[0][1]))


def test_a_silent_feed_sends_nothing(tmp_path):
    assert posted(tmp_path, silent=("meter_reading",)) == ([], None)


def test_chance_repeats_itself():
    assert chance.number(1, "a") == 0xD35CA1552F972F7, "the same on every machine"
    assert chance.share(1, "a") != chance.share(1, "b") != chance.share(2, "b")


def test_options_refuse_what_they_do_not_know(monkeypatch):
    monkeypatch.setenv("GORODOK_SIMULATOR_PORT", "1")
    monkeypatch.setenv("GORODOK_SIMULATOR_SILENT", '["alert"]')
    assert Options().silent == ("alert",)
    with pytest.raises(ValueError, match="extra"):
        Options(duplicate=0.1)
    with pytest.raises(ValueError, match="less than or equal"):
        Options(duplicates=5)
