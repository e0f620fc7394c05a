"""Detections → events: deterministic, within the contract, one per object."""

from __future__ import annotations

import dataclasses
import json

import pytest

from city.profile import load_city
from city.settings import Settings
from ingest.contracts.camera_event import CameraEvent
from ingest.decode import Decoder
from tests.vision.pieces import frame
from vision_jobs.camera import Camera, find_camera
from vision_jobs.classes import check_classes
from vision_jobs.detector import Detection
from vision_jobs.errors import VisionError
from vision_jobs.events import to_events
from vision_jobs.publish import payload_of

CAMERA = Camera("cam-waste-01", "waste-01", 57.594738, 39.896029)
DOG = Detection("dog", 0.81234567, 0.1, 0.2, 0.3, 0.4)


def test_the_gateway_takes_what_is_published():
    events = to_events([DOG, dataclasses.replace(DOG, x=0.5)], frame(), CAMERA, "yolov8n@94a41939c69d")
    decoded = Decoder(CameraEvent).decode(payload_of(events))
    assert decoded.rejects == []
    assert decoded.good == events
    assert json.loads(payload_of(events))[0]["event_time"] == "2026-03-01T23:30:00Z"


def test_the_same_frame_class_and_box_are_the_same_event():
    (first,) = to_events([DOG], frame(), CAMERA, "m")
    (later,) = to_events([dataclasses.replace(DOG, confidence=0.5, x=0.1000001)], frame(), CAMERA, "m")
    assert later.event_id == first.event_id


@pytest.mark.parametrize("change", [{"class_name": "cat"}, {"x": 0.11}, {"height": 0.41}])
def test_another_class_or_box_is_another_event(change):
    (first,) = to_events([DOG], frame(), CAMERA, "m")
    (other,) = to_events([dataclasses.replace(DOG, **change)], frame(), CAMERA, "m")
    assert other.event_id != first.event_id


def test_another_frame_is_another_event():
    assert to_events([DOG], frame(1), CAMERA, "m")[0].event_id != to_events([DOG], frame(2), CAMERA, "m")[0].event_id


def test_two_equal_boxes_are_one_object():
    assert len(to_events([DOG, DOG], frame(), CAMERA, "m")) == 1


def test_a_camera_of_the_register_knows_its_site_and_place(tmp_path):
    city = load_city(Settings(home=tmp_path, city="gorodok"))
    assert find_camera(city, "cam-waste-01") == CAMERA
    assert find_camera(city, "cam-waste-01", "other").site_id == "other"
    assert find_camera(city, "cam-unknown") == Camera("cam-unknown", "cam-unknown")


def test_a_class_that_the_weights_do_not_know_is_not_silently_never_seen():
    check_classes(None, frozenset({"dog"}))
    check_classes({"dog"}, frozenset({"dog", "cat"}))
    with pytest.raises(VisionError, match="do not know 'dgo'") as caught:
        check_classes({"dgo"}, frozenset({"dog", "cat"}))
    assert "dog" in caught.value.remedy
