"""Playing: pace by event times, counts, the landing and the broker, the command's exit codes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import polars as pl
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from city.settings import Settings
from ingest.adapters.outlet import LandingOutlet, MqttOutlet, OutletError
from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.parcel import Parcel, Refusal
from ingest.replay import ReplayOptions, items
from ingest.replay.pace import paced
from ingest.replay.play import play

HEADER = "vehicle_id,timestamp,latitude,longitude\n"
FIXES = HEADER + "".join(f"v{n % 3},2015-03-07T10:{n:02}:00Z,1.0,2.0\n" for n in reversed(range(60))) + "broken\n"


def test_pace_follows_the_event_times(file: Callable[..., Path]) -> None:
    """An hour of fixes at 600 times life: 5.9 s, in the order of time though the file has another."""
    now, told = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    for thing in paced(items("positions-csv", file(FIXES)), 600, clock=lambda: now[0], sleep=sleep):
        if isinstance(thing, Parcel):
            told += [(now[0], row["timestamp"]) for row in json.loads(thing.payload)]
    assert [time for _, time in told] == sorted(time for _, time in told)
    assert len(told) == 60
    for wall, stamp in told:
        assert wall == pytest.approx(int(stamp[14:16]) * 60 / 600, abs=0.11)


@pytest.mark.parametrize("speed", [0, -1])
def test_pace_must_be_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        next(paced([], speed))


def test_landing_gets_rows_refusals_and_an_outcome(file: Callable[..., Path], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with LandingOutlet(settings) as outlet:
        played = play("positions-csv", [file(FIXES)], ReplayOptions(), outlet)
        counts = outlet.finish()
    assert (played.rows, played.refused, counts["landed"], counts["quarantined"]) == (60, 1, 60, 1)
    landed = pl.read_parquet(settings.landing_dir / "vehicle_position/sealed/*.parquet")
    assert landed.height == 60
    assert landed["source"].unique().to_list() == ["replay:positions-csv:file.csv"]
    refused = pl.read_parquet(settings.landing_dir / "quarantine/sealed/*.parquet")
    assert refused["payload"].to_list() == [b"broken"]
    outcomes = pl.concat(
        pl.read_parquet(path) for path in (settings.landing_dir / "ingest_outcome/sealed").glob("*.parquet")
    )
    [outcome] = outcomes.filter(pl.col("stage") == "replay").to_dicts()
    assert (outcome["rows"], outcome["quarantined"], outcome["success"]) == (60, 1, True)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Settings]:
    program = shutil.which("mosquitto")
    if program is None:
        pytest.skip("mosquitto is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n")
    process = subprocess.Popen([program, "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Settings(home=tmp_path / "home", mqtt_url=f"mqtt://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.broker
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_broker_gets_every_message_before_finish_returns(
    broker: Settings, file: Callable[..., Path], version: str
) -> None:
    got: list[tuple[str, bytes]] = []
    subscribed = threading.Event()
    listener = mqtt.Client(CallbackAPIVersion.VERSION2)
    listener.on_message = lambda client, data, message: got.append((message.topic, message.payload))
    listener.on_subscribe = lambda *_: subscribed.set()
    port = int(broker.mqtt_url.rsplit(":", 1)[1])
    listener.connect("127.0.0.1", port)
    listener.loop_start()
    listener.subscribe("gorodok/v1/+/+/+", qos=1)
    assert subscribed.wait(5)
    many = HEADER + "".join(f"v{n},2015-03-07T10:00:00Z,1.0,2.0\n" for n in range(60_000)) + "broken\n"
    with MqttOutlet(broker.model_copy(update={"mqtt_version": version}), "test") as outlet:
        played = play("positions-csv", [file(many)], ReplayOptions(), outlet)
        counts = outlet.finish()
    assert played.rows == 60_000
    assert counts == {"published": played.parcels + 2, "unheard": 0}
    deadline = time.monotonic() + 10
    while len(got) < counts["published"] and time.monotonic() < deadline:
        time.sleep(0.02)
    listener.disconnect()
    listener.loop_stop()
    feeds = Counter(topic.split("/")[3] for topic, _ in got)
    assert feeds == {"vehicle_position": played.parcels, "quarantine": 1, "ingest_outcome": 1}
    for topic, payload in got:
        feed = topic.split("/")[3]
        assert not Decoder(CONTRACTS[feed]).decode(payload).rejects
    assert sum(len(json.loads(payload)) for topic, payload in got if "vehicle_position" in topic) == 60_000


@pytest.mark.broker
def test_nobody_who_listens_is_told(broker: Settings) -> None:
    with MqttOutlet(broker, "test") as outlet:
        outlet.submit(Parcel("complaint", "t", b"{}"))
        assert outlet.finish() == {"published": 1, "unheard": 1}


@pytest.mark.broker
def test_refusal_travels_as_a_quarantine_message(broker: Settings) -> None:
    """Bytes of any kind, reasons with anything in them, larger than a message may be."""
    from ingest.adapters.outlet import quarantined

    for refusal in (
        Refusal("alert", "s\udc80", b"\xff\x00" * 10, "r\ud800", "f", "v" * 20_000),
        Refusal("alert", "s", b"x" * 5_000_000, "large"),
    ):
        parcel = quarantined(refusal)
        [row] = Decoder(CONTRACTS["quarantine"]).decode(parcel.payload).good
        assert row.payload == refusal.payload[: 256 * 1024]


def test_no_broker_is_said_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        pytest.raises(OutletError, match="GORODOK_MQTT_URL"),
        MqttOutlet(Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{port}"), "test"),
    ):
        pass


def run(*arguments: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import typer

    from apps.cli.commands import replay
    from city.settings import settings

    monkeypatch.setenv("GORODOK_HOME", str(home))
    settings.cache_clear()
    app = typer.Typer()
    app.callback()(lambda: None)
    replay.register(app)
    try:
        return CliRunner().invoke(app, ["replay", *arguments])
    finally:
        settings.cache_clear()


def test_command_tells_what_it_did(file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(file(FIXES))
    result = run(
        "positions-csv", path, path, "--via", "landing", "--json", home=tmp_path / "h", monkeypatch=monkeypatch
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["files"], told["rows"], told["refused"], told["landed"]) == (2, 120, 2, 120)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["positions-csv", "NONE", "--via", "landing"], 2, "does not exist"),
        (["parquet", "FILE"], 2, "use one of cap"),
        (["positions-csv", "FILE", "--via", "pigeon"], 2, "mqtt or landing"),
        (["positions-csv", "FILE", "--via", "landing", "--speed", "fast"], 2, "above 0"),
        (["positions-csv", "FILE", "--via", "landing", "--speed", "0"], 2, "above 0"),
        (["positions-csv", "FILE", "--via", "landing", "--time-zone", "Mars/Base"], 2, "Europe/Moscow"),
        (["scada-csv", "FILE", "--via", "landing", "--role", "p227"], 2, "COLUMN=ROLE"),
        (["scada-csv", "FILE", "--via", "landing", "--role", "p227=boss"], 2, "role"),
        (["meters-csv", "FILE", "--via", "landing"], 1, ""),  # nothing of it could be read
    ],
)
def test_exit_codes(
    file: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    path = str(file(FIXES))
    result = run(*(path if a == "FILE" else a for a in arguments), home=tmp_path / "h", monkeypatch=monkeypatch)
    assert result.exit_code == code, result.output
    assert said in result.output.replace("\n", " ")
