"""What a source of device messages is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """One message of a device, before its sequence number.

    publisher: the topic's last part; device: whose boot and sequence number it carries; at_s: event time,
    seconds since 1970; time_field: where the event time is written; content: the contract's other fields.
    """

    feed: str
    publisher: str
    device: str
    at_s: float
    time_field: str
    content: dict[str, Any]


class Source(Protocol):
    """Devices of one feed."""

    feed: str

    def between(self, start_s: float, end_s: float, thin: bool) -> Iterator[Reading]:
        """Messages with start < event time <= end, in order of time; thin: the past, where less is enough."""
        ...


def rfc3339(at_s: float) -> str:
    """UTC, whole seconds unless there are milliseconds."""
    moment = datetime.fromtimestamp(round(at_s, 3), UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")
