"""Real weights, photos and videos of ../shared/data/vision; skipped, with the reason, where they are not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from city.settings import ROOT

DATA = ROOT.parent / "shared" / "data" / "vision"


def _need(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"real data are not here: {path}")
    return path


@pytest.fixture
def waste_sites() -> Path:
    return _need(DATA / "waste_sites")


@pytest.fixture
def drone_videos() -> Path:
    pytest.importorskip("cv2", reason="extra `vision` is not installed (make setup-vision)")
    return _need(DATA / "drone_videos")


@pytest.fixture
def weights() -> Path:
    if importlib.util.find_spec("ultralytics") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("extra `vision` is not installed (make setup-vision)")
    return _need(DATA / "weights" / "yolov8n_deq.pt")
