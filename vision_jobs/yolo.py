"""The detector that runs weights of ultralytics (YOLO), offline and without letting the weights run code.

ultralytics because its weights are what cities and their contractors train and hand over today, and one call runs
.pt, ONNX and OpenVINO alike. It is AGPL-3.0: optional here, imported only in this file.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import PIL.Image

from vision_jobs.detector import Detection
from vision_jobs.errors import VisionMissingError, WeightsError
from vision_jobs.frame import Image
from vision_jobs.torchvision_absent import put_stand_in, torchvision_works, version_without_torchvision

PLACE = "weights are not shipped: put a file that you trust anywhere and name it, for example var/weights/yolov8n.pt"
IOU = 0.7
"""Overlap above which two boxes of a class are one object; ultralytics' default."""


class YoloDetector:
    """Detections of an ultralytics detector. One instance for one thread."""

    def __init__(
        self, weights: Path, *, image_px: int = 320, device: str | None = None, home: Path | None = None
    ) -> None:
        """image_px: longer side that the network sees. home: where ultralytics may keep its settings file.

        Raises WeightsError for a missing or corrupt file, VisionMissingError without the extra `vision`.
        """
        digest = _digest(weights)
        self._image_px, self._device = image_px, device
        yolo = _import_ultralytics(home)
        try:
            self._yolo: Any = yolo(str(weights), verbose=False)
            task = self._yolo.task
            names = dict(self._yolo.names)
        except ImportError as error:
            raise VisionMissingError(error.name or str(error)) from error
        except Exception as error:  # torch, pickle, zipfile and ultralytics each raise their own
            raise WeightsError(f"weights {weights} cannot be loaded: {_first_line(error)}", PLACE) from error
        if task != "detect":
            raise WeightsError(f"weights {weights} are made for the task {task!r}", "use weights of a detector")
        self._names: dict[int, str] = {int(number): str(name) for number, name in names.items()}
        self._model = f"{weights.stem[:100]}@{digest[:12]}"

    @property
    def model(self) -> str:
        """File name and the first 12 digits of the file's SHA-256: two files of one name differ."""
        return self._model

    @property
    def class_names(self) -> frozenset[str]:
        return frozenset(self._names.values())

    def detect(self, image: Image, least_confidence: float) -> list[Detection]:
        results = self._yolo.predict(
            image, imgsz=self._image_px, conf=least_confidence, iou=IOU, device=self._device, verbose=False
        )
        height, width = results[0].orig_shape
        return [self._detection(row, width, height) for row in results[0].boxes.data.tolist()]

    def _detection(self, row: list[float], width: int, height: int) -> Detection:
        """row: left, top, right, bottom in pixels, score, number of the class."""
        left, top, right, bottom, score, number = row
        x, y = _share(left, width), _share(top, height)
        return Detection(
            class_name=self._names[int(number)],
            confidence=min(1.0, max(0.0, score)),
            x=x,
            y=y,
            width=_share(right, width) - x,
            height=_share(bottom, height) - y,
        )


def _share(pixels: float, whole: float) -> float:
    return min(1.0, max(0.0, pixels / whole))


def _digest(weights: Path) -> str:
    if not weights.is_file():
        # ultralytics would take a bare name for one of its own models and try to download it
        raise WeightsError(f"weights {weights} are not there", PLACE)
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _import_ultralytics(home: Path | None) -> Any:
    """The YOLO class, with downloads, installs, telemetry and code in weights switched off before the import."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "true"  # a .pt is a pickle: only known classes of layers are built from it
    pillow_open = PIL.Image.open
    if home is not None:
        home.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("YOLO_CONFIG_DIR", str(home))
    try:
        import torch
    except ImportError:
        raise VisionMissingError("torch") from None
    try:
        if torchvision_works():
            import ultralytics
        else:
            with version_without_torchvision(torch.__version__):
                import ultralytics
            from ultralytics.utils.nms import TorchNMS

            put_stand_in(TorchNMS.nms)
    except ImportError as error:
        raise VisionMissingError(error.name or "ultralytics") from error
    # its own `open` tries to install a plugin for any file that is no picture, and raises ImportError
    PIL.Image.open = pillow_open
    ultralytics.settings.update({"sync": False})
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    return ultralytics.YOLO


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__
