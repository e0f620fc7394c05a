"""gtfs-rt: captured FeedMessages (protobuf; .bz2, .gz or .zip as well), read by the adapter's own decode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest.adapters import gtfs_rt
from ingest.parcel import Refusal
from ingest.replay.files import whole
from ingest.replay.items import Items, items_of_decoding
from ingest.replay.options import ReplayOptions

NAME = "gtfs-rt"
FEED = gtfs_rt.FEED
TITLE = "GTFS-Realtime capture / Снимок GTFS-Realtime"


def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]:
    data = whole(path, gtfs_rt.MAX_BYTES)
    yield from items_of_decoding(gtfs_rt.decode(data, f"replay:{NAME}:{path.name}"))
