"""`gorodok vision detect` from end to end: real weights, real photos, real broker, the gateway's decoder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from city.settings import ROOT, Settings
from ingest.contracts.camera_event import CameraEvent
from ingest.decode import Decoder
from tests.broker.conftest import RunningBroker, free_pair
from tests.vision.pieces import noise
from vision_jobs.errors import WeightsError
from vision_jobs.photos import find_photos, read_photo
from vision_jobs.yolo import YoloDetector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WATCHED = """
import socket, sys
real_connect, real_names = socket.socket.connect, socket.getaddrinfo
def leaves(host):
    return host not in ("127.0.0.1", "localhost", "::1", None)
def connect(self, address):
    if self.family != socket.AF_UNIX and leaves(address[0]):
        open(sys.argv[1], "a").write(f"connect {address}\\n")
        raise OSError("network is cut off")
    return real_connect(self, address)
def names(host, *rest, **more):
    if leaves(host):
        open(sys.argv[1], "a").write(f"look up {host}\\n")
        raise OSError("network is cut off")
    return real_names(host, *rest, **more)
socket.socket.connect, socket.getaddrinfo = connect, names
from apps.cli.main import app
app(sys.argv[2:])
"""


@pytest.fixture
def photos(tmp_path: Path, waste_sites: Path) -> Path:
    """Six real photos, one of them torn."""
    folder = tmp_path / "cam-waste-01"
    folder.mkdir()
    for path in find_photos(waste_sites)[:6]:
        shutil.copy2(path, folder)
    torn = find_photos(folder)[2]
    torn.write_bytes(torn.read_bytes()[:50_000])
    return folder


def gorodok(home: Path, *words: str, url: str = "mqtt://127.0.0.1:9") -> tuple[int, dict, str]:
    """Exit code, JSON of stdout, stderr; with the network off the machine cut and each attempt written down."""
    attempts = home / "attempts.txt"
    home.mkdir(exist_ok=True)
    env = os.environ | {"GORODOK_HOME": str(home), "GORODOK_MQTT_URL": url, "COLUMNS": "500"}
    command = [sys.executable, "-c", WATCHED, str(attempts), "vision", "detect", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=200, check=False)
    assert not attempts.exists(), f"the run wanted to leave the machine: {attempts.read_text()}"
    return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else {}, done.stderr


def test_photos_are_looked_at_and_a_rerun_gives_the_same_events(tmp_path, weights, photos):
    words = ("--weights", str(weights), "--source", str(photos), "--json")
    code, first, errors = gorodok(tmp_path / "one", *words)
    assert code == 0, errors
    assert (first["frames"], first["analysed"], first["failed"]) == (6, 5, 1)
    assert first["bad_frames"][0]["origin"] == find_photos(photos)[2].name
    assert first["events"] == len(first["found"]) > 0
    assert first["by_class"]["car"] >= 1
    assert not (tmp_path / "one" / "evidence").exists(), "without --publish nothing is kept"
    _, second, _ = gorodok(tmp_path / "two", *words)
    assert second["found"] == first["found"]


def test_published_events_reach_a_subscriber_as_the_contract_says(tmp_path, weights, photos, broker_with_gateway):
    broker, received = broker_with_gateway
    home = tmp_path / "home"
    words = ("--weights", str(weights), "--source", str(photos), "--publish", "--json")
    code, summary, errors = gorodok(home, *words, url=broker.settings.mqtt_url)
    assert code == 0, errors
    messages = received(topics={"gorodok/v1/gorodok/camera_event/cam-waste-01"})
    decoded = [Decoder(CameraEvent).decode(payload) for payload in messages]
    assert [rejected for one in decoded for rejected in one.rejects] == []
    events = [event for one in decoded for event in one.good]
    assert len(events) == summary["events"]
    assert {event.site_id for event in events} == {"waste-01"}
    assert all((home / event.frame_ref).is_file() for event in events)
    assert len({event.frame_ref for event in events}) == summary["evidence_frames"]


@pytest.fixture
def broker_with_gateway(tmp_path: Path):
    """The embedded broker and a subscriber to the gateway's topics."""
    import threading

    import paho.mqtt.client as mqtt

    settings = Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{free_pair()}")
    broker = RunningBroker("embedded", settings, [sys.executable, "-m", "ingest.broker"])
    broker.start()
    got, subscribed = [], threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "subscriber", protocol=mqtt.MQTTv5)
    client.on_message = lambda *args: got.append(args[2])
    client.on_subscribe = lambda *args: subscribed.set()
    client.connect("127.0.0.1", int(settings.mqtt_url.rpartition(":")[2]))
    client.loop_start()
    client.subscribe("gorodok/v1/gorodok/+/+", qos=1)
    assert subscribed.wait(10)

    def received(topics: set[str]) -> list[bytes]:
        assert {message.topic for message in got} == topics
        return [message.payload for message in got]

    yield broker, received
    client.disconnect()
    client.loop_stop()
    broker.kill()


def test_no_broker_is_said_and_is_not_success(tmp_path, weights, photos):
    code, _, errors = gorodok(tmp_path / "h", "--weights", str(weights), "--source", str(photos), "--publish")
    assert code == 1
    assert "mqtt://127.0.0.1:9" in errors


def test_weights_that_are_not_there(tmp_path, weights, photos):
    code, _, errors = gorodok(tmp_path / "h", "--weights", "yolov8n.pt", "--source", str(photos))
    assert code == 2
    assert "yolov8n.pt are not there" in errors
    assert "weights are not shipped: put a file" in errors


@pytest.mark.parametrize("content", [b"", b"not weights", None], ids=["empty", "text", "truncated"])
def test_corrupt_weights(tmp_path, weights, photos, content):
    corrupt = tmp_path / "corrupt.pt"
    corrupt.write_bytes(weights.read_bytes()[:-100_000] if content is None else content)
    with pytest.raises(WeightsError, match=r"corrupt\.pt cannot be loaded"):
        YoloDetector(corrupt)


def test_weights_cannot_run_code(tmp_path, weights):
    """A .pt is a pickle, and a pickle may call anything: not here."""
    torch = pytest.importorskip("torch")
    trap = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {trap}",)

    torch.save({"model": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(WeightsError):
        YoloDetector(tmp_path / "trap.pt")
    assert not trap.exists()


def test_an_unknown_class_is_refused(tmp_path, weights, photos):
    words = ("--weights", str(weights), "--source", str(photos), "--classes", "persn")
    code, _, errors = gorodok(tmp_path / "h", *words)
    assert code == 2
    assert "did you mean person" in errors


def test_boxes_are_shares_of_the_frame(weights, waste_sites):
    detector = YoloDetector(weights)
    assert detector.model.startswith("yolov8n_deq@")
    assert {"person", "dog", "car"} <= detector.class_names
    for path in find_photos(waste_sites)[:5]:
        for found in detector.detect(read_photo(path, None).image, 0.1):
            assert 0.1 <= found.confidence <= 1
            assert found.width > 0
            assert found.height > 0
            assert found.x + found.width <= 1 + 1e-9
            assert found.y + found.height <= 1 + 1e-9


def test_a_file_that_is_no_picture_is_a_bad_frame_after_ultralytics_was_imported_too(tmp_path, weights):
    """ultralytics replaces Pillow's `open` by one that raises ImportError here."""
    YoloDetector(weights)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert "cannot identify image file" in read_photo(tmp_path / "a.jpg", None).reason


def test_a_frame_of_any_shape_does_not_break_the_detector(weights):
    detector = YoloDetector(weights)
    for height, width in ((1, 1), (2, 3_000), (3_000, 2)):
        assert isinstance(detector.detect(noise(1, height, width), 0.25), list)


def test_without_the_extra_the_command_says_what_to_install(tmp_path, waste_sites):
    """torch is hidden from this interpreter, whether it is installed or not."""
    some = tmp_path / "some.pt"
    some.write_bytes(b"weights")
    code = textwrap.dedent("""
        import sys
        sys.modules["torch"] = sys.modules["ultralytics"] = sys.modules["cv2"] = None
        from apps.cli.main import app
        app(sys.argv[1:])
    """)
    words = ["vision", "detect", "--weights", str(some), "--source", str(waste_sites)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, text=True, capture_output=True, check=False, timeout=100,
        env=os.environ | {"GORODOK_HOME": str(tmp_path), "COLUMNS": "500"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "make setup-vision" in done.stderr
    assert "Traceback" not in done.stderr
