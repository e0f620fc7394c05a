"""The Dagster asset over the cameras' inbox: without weights, without ultralytics, and with both for real."""

from __future__ import annotations

import os
import shutil
import sys
import time

import dagster as dg
import pytest

from city.settings import Settings
from orchestration.defs import vision
from tests.broker.conftest import RunningBroker, free_pair
from vision_jobs.inbox import Inbox
from vision_jobs.photos import find_photos


@pytest.fixture
def inbox(tmp_path, waste_sites):
    """Three real photos of one camera of the register, arrived a minute ago."""
    folder = tmp_path / "frames" / "cam-waste-01"
    folder.mkdir(parents=True)
    for path in find_photos(waste_sites)[:3]:
        copy = shutil.copy(path, folder)
        os.utime(copy, (time.time() - 60,) * 2)
    return Inbox(tmp_path)


def run(settings: Settings) -> dg.ExecuteInProcessResult:
    (asset,) = vision.definitions(settings).assets
    return dg.materialize([asset], raise_on_error=False)


def sensor(settings: Settings):
    (found,) = vision.definitions(settings).sensors
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance) as context:
        return found(context)


def test_an_empty_inbox_is_no_failure_and_needs_nothing(tmp_path):
    settings = Settings(home=tmp_path)
    result = run(settings)
    assert result.success
    (made,) = result.asset_materializations_for_node("vision__frames")
    assert made.metadata["frames"].value == 0
    assert "no new photo" in sensor(settings).skip_message


def test_new_photos_without_weights_say_where_to_put_them(tmp_path, inbox):
    settings = Settings(home=tmp_path)
    assert f"no weights at {tmp_path}/weights/cameras.pt" in sensor(settings).skip_message
    result = run(settings)
    assert not result.success
    failure = result.failure_data_for_node("vision__frames")
    assert "weights/cameras.pt" in failure.error.message or "weights/cameras.pt" in str(failure.user_failure_data)
    assert inbox.new_photos() != {}, "they must still be new when the weights come"


@pytest.mark.slow
def test_real_photos_become_events_once(tmp_path, inbox, weights):
    settings = Settings(home=tmp_path, mqtt_url=f"mqtt://127.0.0.1:{free_pair()}")
    (tmp_path / "weights").mkdir()
    shutil.copy(weights, tmp_path / "weights" / "cameras.pt")
    assert isinstance(sensor(settings), dg.RunRequest)
    assert not run(settings).success, "no broker runs yet"
    assert len(inbox.new_photos()["cam-waste-01"]) == 3, "what the broker has not acknowledged is not seen"

    broker = RunningBroker("embedded", settings, [sys.executable, "-m", "ingest.broker"])
    broker.start()
    try:
        (made,) = run(settings).asset_materializations_for_node("vision__frames")
    finally:
        broker.kill()
    assert made.metadata["analysed"].value == 3
    assert made.metadata["events"].value > 0
    assert made.metadata["evidence_frames"].value > 0
    assert inbox.new_photos() == {}
    (again,) = run(settings).asset_materializations_for_node("vision__frames")
    assert again.metadata["frames"].value == 0
