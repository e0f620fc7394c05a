"""JSON texts of one feed, cut into parcels that a broker takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.parcel import Parcel

PARCEL_ITEMS = 500
"""Messages in one parcel: 500 real positions of 280 bytes are 140 KB, far below a broker's limit."""

PARCEL_BYTES = 512 * 1024
"""Half of the gateway's default limit on a payload (GORODOK_MAX_PAYLOAD_KB): large messages make smaller parcels."""


def cut(feed: str, source: str, texts: Sequence[str]) -> Iterator[Parcel]:
    """JSON arrays of at most PARCEL_ITEMS messages and, unless a single message is larger, PARCEL_BYTES bytes."""
    for start in range(0, len(texts), PARCEL_ITEMS):
        part = texts[start : start + PARCEL_ITEMS]
        whole = f"[{','.join(part)}]".encode()
        if len(whole) <= PARCEL_BYTES:
            yield Parcel(feed, source, whole)
        else:
            yield from _cut_by_bytes(feed, source, part)


def _cut_by_bytes(feed: str, source: str, texts: Sequence[str]) -> Iterator[Parcel]:
    held: list[bytes] = []
    size = 0
    for text in texts:
        item = text.encode()
        if held and size + len(item) + 1 > PARCEL_BYTES:
            yield Parcel(feed, source, b"[" + b",".join(held) + b"]")
            held, size = [], 0
        held.append(item)
        size += len(item) + 1
    if held:
        yield Parcel(feed, source, b"[" + b",".join(held) + b"]")
