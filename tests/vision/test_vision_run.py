"""The run over frames: what counts, what is skipped, what is kept as evidence; inbox and retention."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import date

import numpy as np
import pytest

from tests.vision.pieces import FakeDetector, frame, noise
from vision_jobs import evidence
from vision_jobs.camera import Camera
from vision_jobs.detector import Detection
from vision_jobs.frame import BadFrame
from vision_jobs.gate import MotionGate
from vision_jobs.inbox import Inbox
from vision_jobs.retention import remove_old_pictures
from vision_jobs.run import Rules, look

CAMERA = Camera("c", "s")
DOG = Detection("dog", 0.8, 0.6, 0.6, 0.3, 0.3)
PERSON = Detection("person", 0.12, 0.25, 0.25, 0.25, 0.5)


def run(frames, detector, rules=None):
    taken = []
    return list(look(frames, detector, CAMERA, taken.extend, rules or Rules()))[-1], taken


def test_bad_frames_are_counted_and_named_and_do_not_stop_the_run():
    poison = frame(2)
    poison.image[0, 0, 0] = 13
    report, events = run([frame(1), BadFrame("torn.jpg", "truncated"), poison, frame(3)], FakeDetector(DOG))
    assert (report.frames, report.analysed, report.failed, report.events) == (4, 2, 2, 2)
    assert [bad.origin for bad in report.bad_frames] == ["torn.jpg", "2.jpg"]
    assert "ValueError" in report.bad_frames[1].reason
    assert len({event.event_id for event in events}) == 2


def test_confidence_and_classes():
    detector = FakeDetector(DOG, PERSON)
    assert run([frame()], detector)[0].by_class == {"dog": 1}
    assert run([frame()], detector, Rules(confidence=0.1))[0].by_class == {"dog": 1, "person": 1}
    assert run([frame()], detector, Rules(confidence=0.1, classes=frozenset({"person"})))[0].by_class == {"person": 1}


def test_a_frozen_picture_is_looked_at_once():
    detector = FakeDetector(DOG)
    report, events = run([frame(1), frame(1), frame(1)], detector)
    assert (detector.calls, report.unchanged, len(events)) == (1, 2, 1)


def test_a_sink_that_fails_ends_the_run():
    def full(events):
        raise ConnectionError("broker away")

    with pytest.raises(ConnectionError):
        list(look([frame()], FakeDetector(DOG), CAMERA, full, Rules()))


def test_limit():
    assert run((frame(seed) for seed in range(10)), FakeDetector(), Rules(limit=3))[0].analysed == 3


class TestEvidence:
    @pytest.fixture(autouse=True)
    def _opencv(self):
        pytest.importorskip("cv2", reason="extra `vision` is not installed (make setup-vision)")

    def test_it_is_kept_under_its_own_digest_and_day(self, tmp_path):
        report, (event,) = run([frame()], FakeDetector(DOG), Rules(evidence_home=tmp_path))
        path = tmp_path / event.frame_ref
        assert event.frame_ref == f"evidence/2026-03-01/{event.frame_sha256}.jpg"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == event.frame_sha256
        assert report.evidence_frames == 1
        assert [found.name for found in path.parent.iterdir()] == [path.name]

    def test_nothing_is_kept_of_a_frame_without_findings(self, tmp_path):
        run([frame()], FakeDetector(PERSON), Rules(evidence_home=tmp_path))
        assert not (tmp_path / "evidence").exists()

    def test_weights_that_do_not_know_people_keep_no_evidence(self, tmp_path):
        _, (event,) = run([frame()], FakeDetector(DOG, names=("dog",)), Rules(evidence_home=tmp_path))
        assert (event.frame_ref, event.frame_sha256) == (None, None)
        assert not (tmp_path / "evidence").exists()


def test_a_person_is_blurred_even_below_the_confidence_of_an_event():
    """Inside the box (with its margin) only blocks of one colour are left; outside nothing has changed."""
    image = noise(1, 200, 200)
    blurred = evidence.blurred(image, [PERSON, DOG])
    inside = blurred[50:150, 50:100]
    colours = len(np.unique(inside.reshape(-1, 3), axis=0))
    assert colours <= evidence.BLOCKS**2
    assert len(np.unique(image[50:150, 50:100].reshape(-1, 3), axis=0)) > 1_000
    outside = np.ones(image.shape[:2], bool)
    outside[40:160, 44:106] = False
    assert (blurred[outside] == image[outside]).all()


def test_the_lower_part_of_a_car_is_blurred_where_its_plate_is():
    image = noise(1, 100, 100)
    blurred = evidence.blurred(image, [Detection("car", 0.9, 0.0, 0.0, 1.0, 1.0)])
    assert (blurred[:30] == image[:30]).all()
    assert len(np.unique(blurred[42:].reshape(-1, 3), axis=0)) <= evidence.BLOCKS**2


def test_the_gate_lets_a_small_change_through_and_holds_noise():
    gate = MotionGate(least_change=12)
    yard = np.full((360, 640, 3), 90, np.uint8)
    assert gate.passes(yard)
    grain = np.random.default_rng(1).integers(-6, 7, yard.shape)
    assert not gate.passes((yard + grain).astype(np.uint8))
    dog = yard.copy()
    dog[200:220, 300:320] = 30
    assert gate.passes(dog)


def test_slow_change_adds_up():
    gate = MotionGate(least_change=12)
    passed = [gate.passes(np.full((36, 64, 3), value, np.uint8)) for value in range(100, 130)]
    assert [index for index, good in enumerate(passed) if good] == [0, 12, 24]


def test_inbox_gives_each_photo_once_and_a_rewritten_one_again(tmp_path):
    inbox = Inbox(tmp_path)
    assert inbox.new_photos() == {}
    folder = tmp_path / "frames" / "cam-1"
    folder.mkdir(parents=True)
    for name in ("b.jpg", "a.jpg"):
        (folder / name).write_bytes(b"1")
    assert inbox.new_photos() == {}  # may still be written
    later = time.time() + 10
    found = inbox.new_photos(later)
    assert {camera: [path.name for path in paths] for camera, paths in found.items()} == {"cam-1": ["a.jpg", "b.jpg"]}
    inbox.mark_seen(found["cam-1"])
    assert Inbox(tmp_path).new_photos(later) == {}
    (folder / "a.jpg").write_bytes(b"22")
    assert [path.name for path in inbox.new_photos(later)["cam-1"]] == ["a.jpg"]
    (folder / "b.jpg").unlink()
    inbox.forget_gone()
    (folder / "b.jpg").write_bytes(b"1")
    assert [path.name for path in inbox.new_photos(later)["cam-1"]] == ["a.jpg", "b.jpg"]


def test_pictures_go_after_the_citys_days(tmp_path):
    for day in ("2026-01-01", "2026-01-31", "not-a-day"):
        (tmp_path / "evidence" / day).mkdir(parents=True)
        (tmp_path / "evidence" / day / "x.jpg").touch()
    camera = tmp_path / "frames" / "cam-1"
    camera.mkdir(parents=True)
    for name, day in (("old.jpg", "2026-01-01"), ("new.jpg", "2026-02-28")):
        (camera / name).touch()
        os.utime(camera / name, (time.mktime(time.strptime(day, "%Y-%m-%d")) + 43_200,) * 2)
    assert remove_old_pictures(tmp_path, 30, date(2026, 3, 2)) == 2
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == ["2026-01-31", "not-a-day"]
    assert [path.name for path in camera.iterdir()] == ["new.jpg"]
    assert remove_old_pictures(tmp_path / "nothing", 30, date(2026, 3, 2)) == 0
