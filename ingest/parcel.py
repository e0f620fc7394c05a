"""What an adapter hands over: bytes for a feed, or bytes that it could not make sense of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parcel:
    """A JSON object, or an array of objects, of one feed's contract.

    source: where it came from, for the row's `source` column: an MQTT topic, or an adapter and its address.
    """

    feed: str
    source: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Original bytes that an adapter could not turn into a parcel, with the reason; goes to quarantine."""

    feed: str
    source: str
    payload: bytes
    reason: str
    field: str | None = None
    value: str | None = None
