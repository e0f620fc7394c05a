"""open311: a GeoReport v2 requests.json as a server gave it, read by the adapter's own decode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest.adapters import open311
from ingest.parcel import Refusal
from ingest.replay.files import whole
from ingest.replay.items import Items, items_of_decoding
from ingest.replay.options import ReplayOptions

NAME = "open311"
FEED = open311.FEED
TITLE = "Open311 GeoReport v2 requests.json / Обращения Open311"


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    data = whole(path, open311.MAX_BYTES)
    yield from items_of_decoding(open311.decode(data, f"replay:{NAME}:{path.name}", options.time_zone or "UTC"))
