"""The clock beacon: the signed, sequenced time that devices go by. Pure: who sends it sends it every PERIOD_S."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from actuation.wire.claims import ClockClaims

PERIOD_S = 5.0
"""A device that starts has the time after at most so long."""


class ClockSigner(Protocol):
    """`actuation.keys.KeyRing`."""

    def sign_clock(self, claims: ClockClaims) -> bytes: ...


def next_beacon(city: str, signer: ClockSigner, next_seq: Callable[[], int], now: datetime) -> bytes:
    """The payload for `control_topic(city, "clock", "beacon")`; QoS 0 or 1, never retained: old time is no time.

    next_seq: `Ledger.next_seq`. now: UTC, read as late as can be.
    """
    return signer.sign_clock(ClockClaims(seq=next_seq(), city=city, now=milliseconds(now)))


def milliseconds(at: datetime) -> int:
    """Of the wire: integer milliseconds since 1970, UTC."""
    return int(at.timestamp() * 1_000)
