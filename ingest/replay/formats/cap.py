"""cap: CAP alerts, a file or a folder of .xml and .cap files, read by the adapter's own decode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest.adapters import cap
from ingest.parcel import Refusal
from ingest.replay.files import UnreadableFileError, head, whole
from ingest.replay.items import Items, items_of_decoding
from ingest.replay.options import ReplayOptions

NAME = "cap"
FEED = cap.FEED
TITLE = "CAP 1.2 alerts / Оповещения CAP 1.2"


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    for file in cap.files_of(path):
        source = f"replay:{NAME}:{file.name}"
        try:
            data = whole(file, cap.MAX_BYTES)
        except UnreadableFileError as error:
            yield Refusal(FEED, source, head(file), f"{file.name} {error}")
            continue
        yield from items_of_decoding(cap.decode(data, source))
