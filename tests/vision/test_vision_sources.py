"""Frames of photos, videos and streams: order, time, digest, and what cannot be read."""

from __future__ import annotations

import hashlib
import http.server
import itertools
import os
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from vision_jobs.errors import SourceError
from vision_jobs.frame import BadFrame, Frame
from vision_jobs.photos import find_photos, read_photo
from vision_jobs.sources import camera_name, open_source
from vision_jobs.video import Stream, without_password

MOSCOW = ZoneInfo("Europe/Moscow")


def test_real_photos_are_read_and_a_torn_one_is_named(tmp_path, waste_sites):
    originals = find_photos(waste_sites)[:3]
    for path in originals:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    torn = tmp_path / originals[1].name
    torn.write_bytes(torn.read_bytes()[:-20_000])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / ".upload.jpg").write_bytes(b"half written, not ours yet")
    (tmp_path / "notes.txt").write_text("no photo")

    source = open_source(str(tmp_path), zone=MOSCOW)
    found = list(source)

    assert source.expected == len(found) == 4
    bad = {frame.origin: frame.reason for frame in found if isinstance(frame, BadFrame)}
    assert set(bad) == {"empty.jpg", torn.name}
    assert "truncated" in bad[torn.name]
    good = [frame for frame in found if isinstance(frame, Frame)]
    assert [frame.digest for frame in good] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (originals[0], originals[2])
    ]


@pytest.mark.parametrize(
    ("exif_time", "offset", "expected"),
    [
        ("2026:03:01 09:30:00", "+05:00", datetime(2026, 3, 1, 4, 30, tzinfo=UTC)),
        ("2026:03:01 09:30:00", None, datetime(2026, 3, 1, 6, 30, tzinfo=UTC)),  # the city's zone, +03:00
        ("0000:00:00 00:00:00", None, datetime(2025, 12, 31, tzinfo=UTC)),  # clock never set: time of the file
        (None, None, datetime(2025, 12, 31, tzinfo=UTC)),
    ],
)
def test_time_of_a_photo(tmp_path, exif_time, offset, expected):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    tags = exif.get_ifd(0x8769)
    if exif_time:
        tags[0x9003] = exif_time
    if offset:
        tags[0x9011] = offset
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    os.utime(path, (expected.timestamp(),) * 2 if not exif_time or exif_time.startswith("0000") else None)
    photo = read_photo(path, MOSCOW)
    assert isinstance(photo, Frame)
    assert photo.taken_at == expected


def test_a_photo_that_unfolds_into_gigabytes_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert path.stat().st_size < 100_000
    assert "pixels" in read_photo(path, MOSCOW).reason


def test_a_rotated_photo_stands_upright(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    assert read_photo(path, MOSCOW).image.shape == (40, 20, 3)


def test_a_video_gives_one_frame_every_so_many_seconds(drone_videos):
    path = drone_videos / "V_AIRPLANE_001.mp4"
    start = datetime(2026, 3, 1, 7, tzinfo=UTC)
    source = open_source(str(path), zone=MOSCOW, every_s=0.5, started_at=start)
    frames = list(source)
    assert source.expected == len(frames)
    assert all(isinstance(frame, Frame) for frame in frames)
    assert frames[0].taken_at == start
    assert {later.taken_at - first.taken_at for first, later in itertools.pairwise(frames)} == {timedelta(seconds=0.5)}
    assert len({frame.digest for frame in frames}) == len(frames)
    again = list(open_source(str(path), zone=MOSCOW, every_s=0.5, started_at=start))
    assert [frame.digest for frame in again] == [frame.digest for frame in frames]


def test_a_video_without_start_ended_when_its_file_was_closed(drone_videos):
    path = drone_videos / "V_AIRPLANE_001.mp4"
    frames = list(open_source(str(path), zone=MOSCOW, every_s=1))
    closed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    assert timedelta(0) < closed - frames[-1].taken_at <= timedelta(seconds=1.1)


def test_a_torn_video_says_where_it_ends(tmp_path, drone_videos):
    cv2 = pytest.importorskip("cv2")
    whole = cv2.VideoCapture(str(drone_videos / "V_AIRPLANE_001.mp4"))
    path = tmp_path / "torn.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (640, 512))
    for _ in range(60):
        writer.write(whole.read()[1])
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = list(open_source(str(path), zone=MOSCOW, every_s=0.1))
    assert 1 < len(frames) < 20
    assert isinstance(frames[0], Frame)


def test_a_stream_of_an_ip_camera_and_its_end(drone_videos):
    """Motion JPEG over HTTP, as cheap cameras speak it: read, lost, tried again, given up. (RTSP goes the same way,
    through OpenCV's FFmpeg; no server for it is here.)"""
    cv2 = pytest.importorskip("cv2")
    video = cv2.VideoCapture(str(drone_videos / "V_AIRPLANE_001.mp4"))
    pictures = [cv2.imencode(".jpg", video.read()[1])[1].tobytes() for _ in range(12)]

    class Camera(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Camera.asked += 1
            if Camera.asked > 1:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for picture in pictures:
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
                self.wfile.write(head + picture + b"\r\n")

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    got = list(Stream(f"http://127.0.0.1:{server.server_port}/video", every_s=0, pauses_s=(0.01, 0.01)))
    server.shutdown()
    server.server_close()
    frames = [frame for frame in got if isinstance(frame, Frame)]
    assert len(pictures) - 2 <= len(frames) <= len(pictures)
    assert frames[0].image.shape == (512, 640, 3)
    assert abs(frames[0].taken_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert Camera.asked >= 3
    assert isinstance(got[-1], BadFrame)
    assert "after 2 attempts" in got[-1].reason


def test_what_is_no_source_says_so(tmp_path):
    (tmp_path / "a.txt").touch()
    for source, words in [
        (tmp_path / "nowhere", "neither a folder, a file nor a stream"),
        (tmp_path, "holds no photo"),
        (tmp_path / "a.txt", "neither a photo nor a video"),
    ]:
        with pytest.raises(SourceError, match=words):
            open_source(str(source), zone=MOSCOW)


def test_a_file_that_is_no_video(tmp_path):
    pytest.importorskip("cv2", reason="extra `vision` is not installed (make setup-vision)")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="is not a video"):
        open_source(str(tmp_path / "a.mp4"), zone=MOSCOW)


def test_passwords_of_streams_are_not_shown():
    url = "rtsp://admin:s3cret@[::1]:8554/yard?token=abc"
    assert without_password(url) == "rtsp://[::1]:8554/yard"
    assert camera_name("rtsp://admin:s3cret@cam-7.local/yard") == "cam-7.local"
