"""The benchmarks are scripts and never timed here; what they rest on is checked: that they measure what they say."""

from __future__ import annotations

import random
import socket
import struct
import threading
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from apps.cli.main import app
from bench.lib import discovery, mqtt_wire
from bench.lib.page_queries import page_queries
from bench.lib.streams import BAD_EVERY, bus_messages, meter_batches
from bench.lib.table import Goal, quantile
from bench.lib.town import Town, write_town
from city.settings import ROOT, Settings
from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.derive.arrow import landing_schema

NAMES = ["growth", "incremental", "ingest", "load", "peers", "queries", "readers", "water", "year"]


def test_every_script_is_found_runs_and_says_what_it_measures() -> None:
    assert discovery.names() == NAMES
    for name in NAMES:
        assert callable(discovery.find(name))
        assert discovery.summary(name).endswith(".") or len(discovery.summary(name)) > 30


def test_list_gives_names_only_and_an_unknown_name_is_bad_usage() -> None:
    listed = CliRunner().invoke(app, ["bench", "--list"])
    assert listed.output.split() == NAMES
    unknown = CliRunner().invoke(app, ["bench", "nothing"])
    assert unknown.exit_code == 2


def test_every_script_has_its_heading_in_the_docs() -> None:
    headings = [line for line in (ROOT / "docs" / "benchmarks.md").read_text().splitlines() if line.startswith("#")]
    for name in NAMES:
        assert any(f"`{name}`" in heading for heading in headings), name


def test_single_messages_are_good_but_for_one_of_a_hundred() -> None:
    decoder = Decoder(CONTRACTS["vehicle_position"])
    decoded = [decoder.decode(payload) for _, payload in bus_messages("gorodok", 1_000)]
    assert sum(len(each.rejects) for each in decoded) == 1_000 // BAD_EVERY
    assert {each.rejects[0].field for each in decoded if each.rejects} == {"latitude"}
    clean = [decoder.decode(payload).good[0] for _, payload in bus_messages("gorodok", 1_000, bad=False)]
    assert len({(each.vehicle_id, each.sequence) for each in clean}) == 1_000


def test_batches_are_good_and_no_reading_is_repeated() -> None:
    decoder = Decoder(CONTRACTS["meter_reading"])
    readings = [one for _, payload in meter_batches("gorodok", 50) for one in decoder.decode(payload).good]
    assert len(readings) == 5_000
    assert len({(each.meter_id, each.event_time) for each in readings}) == 5_000


def test_a_stream_comes_back_as_it_was_written(tmp_path: Path) -> None:
    messages = [("a/b", b""), ("ц/1", b"x" * 70_000)]
    assert mqtt_wire.write_stream(tmp_path / "s", messages) == 2
    assert list(mqtt_wire.read_stream(tmp_path / "s")) == [(topic.encode(), payload) for topic, payload in messages]


@pytest.mark.parametrize("size", [0, 100, 127, 128, 16_383, 16_384, 200_000])
def test_a_packet_is_what_mqtt_says(size: int) -> None:
    packet = mqtt_wire.publish_packet(b"t/1", b"p" * size, 258)
    assert packet[0] == 0x32, "PUBLISH with QoS 1 (MQTT 3.1.1, 3.3.1)"
    length, shift, at = 0, 0, 1
    while True:
        length |= (packet[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if not packet[at - 1] & 128:
            break
    assert packet[at:] == struct.pack(">H", 3) + b"t/1" + struct.pack(">H", 258) + b"p" * size
    assert length == len(packet) - at


def test_the_publisher_never_has_more_under_way_than_its_window(tmp_path: Path) -> None:
    stream = tmp_path / "s"
    count = mqtt_wire.write_stream(stream, [("t", b"x")] * 3_000)
    each = len(mqtt_wire.publish_packet(b"t", b"x", 1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        most: list[int] = []

        def broker() -> None:
            link, _ = server.accept()
            with link:
                link.recv(1_000)
                link.sendall(mqtt_wire.CONNACK)
                got = acked = 0
                while acked < count:
                    got += len(link.recv(1_000_000))
                    most.append(got // each - acked)
                    take = min(100, got // each - acked)
                    link.sendall(b"\x40\x02\x00\x01" * take)
                    acked += take

        thread = threading.Thread(target=broker)
        thread.start()
        first, last = mqtt_wire.publish(server.getsockname()[1], stream)
        thread.join(10)
    assert last > first
    assert 0 < max(most) <= mqtt_wire.WINDOW


def test_rows_of_the_generated_town_fulfil_their_contracts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    rows = write_town(settings, Town(meters=30, days=2, last=date(2026, 3, 1)))
    assert rows == sum(pq.read_metadata(path).num_rows for path in settings.landing_dir.glob("*/sealed/*.parquet"))
    for feed in ("meter_reading", "scada_reading", "vehicle_position", "camera_event", "complaint", "quarantine"):
        paths = sorted((settings.landing_dir / feed / "sealed").glob("*.parquet"))
        assert len(paths) == 2
        assert pq.read_schema(paths[0]).equals(landing_schema(feed))
        contract = CONTRACTS[feed]
        frame = pl.concat(pl.read_parquet(path) for path in paths)
        for row in frame.select(list(contract.model_fields)).iter_rows(named=True):
            contract.model_validate(row)
        assert frame.select(list(contract.spec.key)).is_unique().all(), f"{feed}: a key comes twice"


def test_counters_of_the_generated_meters_never_run_backwards(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_town(settings, Town(meters=5, days=3, last=date(2026, 3, 1)))
    paths = (settings.landing_dir / "meter_reading" / "sealed").glob("*.parquet")
    frame = pl.concat(pl.read_parquet(path) for path in paths).sort("meter_id", "event_time")
    steps = frame.select(pl.col("volume_m3").diff().over("meter_id"))["volume_m3"].drop_nulls()
    assert steps.min() >= 0
    assert steps.sum() > 0


def test_each_page_query_has_its_parameters_in_both_dialects() -> None:
    asked = page_queries(Settings(), date(2026, 1, 1), date(2026, 3, 31))
    assert len(asked) == 10
    chance = random.Random(1)
    for each in asked:
        given = len(each.parameters(chance))
        assert each.lake.count("?") == given, each.name
        assert each.postgres.count("%s") == given, each.name


def test_a_goal_knows_its_better_side_and_a_quantile_its_rank() -> None:
    assert Goal("rate", 0.9, 0.9, "higher").met
    assert not Goal("rate", 0.89, 0.9, "higher").met
    assert Goal("time", 3, 4, "lower").met
    assert not Goal("time", 5, 4, "lower").met
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile(list(map(float, range(100))), 0.95) == 95.0
    assert quantile([1.0], 1.0) == 1.0
