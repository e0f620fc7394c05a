"""Lets ultralytics run beside a torch that has no working torchvision.

ultralytics reads torchvision's version when it is imported and takes its NMS for detectors; for the case that it
is missing it has an NMS of its own (`ultralytics.utils.nms.TorchNMS`), but does not get that far. The wheel of
torchvision that package indexes offer by default is built for CUDA and cannot be imported beside a CPU torch
("operator torchvision::nms does not exist"). For a control room without GPU that would mean gigabytes of CUDA
libraries for one function. So a stand-in with just that function takes the name while nothing better is there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

NAME = "torchvision"


def torchvision_works() -> bool:
    """True when the real one can be imported; otherwise nothing of it stays behind in `sys.modules`."""
    try:
        importlib.import_module(NAME)
    except (ImportError, OSError, RuntimeError):
        for name in [name for name in sys.modules if name == NAME or name.startswith(f"{NAME}.")]:
            del sys.modules[name]
        return False
    return True


@contextmanager
def version_without_torchvision(torch_version: str) -> Iterator[None]:
    """While ultralytics is imported: the version that it asks for is the one that belongs to this torch."""
    real = importlib.metadata.version

    def version(distribution_name: str) -> str:
        return _matching(torch_version) if distribution_name == NAME else real(distribution_name)

    importlib.metadata.version = version
    try:
        yield
    finally:
        importlib.metadata.version = real


def put_stand_in(nms: Callable[..., Any]) -> None:
    """`torchvision.ops.nms` is `nms`; anything else of torchvision is missing, and says so with AttributeError."""
    module, ops = ModuleType(NAME, "Gorodok's stand-in: only ops.nms"), ModuleType(f"{NAME}.ops")
    ops.nms = nms  # type: ignore[attr-defined]
    module.ops = ops  # type: ignore[attr-defined]
    sys.modules[NAME], sys.modules[f"{NAME}.ops"] = module, ops


def _matching(torch_version: str) -> str:
    """torch 2.13 goes with torchvision 0.28: the minor is 15 ahead."""
    return f"0.{int(torch_version.split('.')[1]) + 15}.0"
