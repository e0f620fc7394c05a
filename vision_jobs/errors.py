"""What goes wrong before the first frame. A frame that cannot be read is not here: it is counted, not raised.

VisionError
├── VisionMissingError  a library of the extra `vision` is not installed
├── WeightsError        the weights file is missing, corrupt, or not a detector
└── SourceError         the frames are not there, or not frames
"""

from __future__ import annotations


class VisionError(Exception):
    """The message says what is wrong; `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class VisionMissingError(VisionError):
    def __init__(self, library: str) -> None:
        super().__init__(
            f"{library} is not installed, and cameras need it",
            "run `make setup-vision`: it adds the extra `vision` to .venv; everything else works without it",
        )


class WeightsError(VisionError):
    pass


class SourceError(VisionError):
    pass
