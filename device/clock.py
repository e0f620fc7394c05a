"""The time, from signed beacons and from how long ago they came; never from the device's own calendar.

What it gives is a time that has surely come: a beacon says when it was sent, and it was sent before it arrived; the
monotonic clock since then is taken as if it ran fast by DRIFT. So a beacon that somebody held back cannot turn it back.
"""

from __future__ import annotations

DRIFT = 200e-6
"""How wrong a cheap oscillator may be (a share): 0.7 s an hour."""

HOLD_S = 3_600.0
"""Without a beacon for so long the device says that it has no time, and refuses commands with `clock`."""


class Clock:
    """floor_ms: a time that had come before the start (from the store); only leases go by it."""

    def __init__(self, floor_ms: int, started_s: float) -> None:
        self._base_ms, self._base_s = float(floor_ms), started_s
        self._heard_s: float | None = None

    def set(self, sent_ms: int, is_correction: bool, monotonic_s: float) -> None:
        """is_correction: the signer itself says less than it said before; its clock was put right, so is ours."""
        known = self.at_least(monotonic_s)
        self._base_ms = float(sent_ms) if is_correction else max(float(sent_ms), known)
        self._base_s = self._heard_s = monotonic_s

    def forget(self, monotonic_s: float) -> None:
        """Whoever set it is not trusted any more."""
        self._base_ms, self._base_s, self._heard_s = 0.0, monotonic_s, None

    def now(self, monotonic_s: float) -> int | None:
        """Milliseconds since 1970, UTC; None without a beacon since the start, or for HOLD_S."""
        if self._heard_s is None or monotonic_s - self._heard_s > HOLD_S:
            return None
        return int(self.at_least(monotonic_s))

    def at_least(self, monotonic_s: float) -> float:
        """A time that has surely come, milliseconds; for the end of leases, which must come without a network too."""
        return self._base_ms + max(0.0, monotonic_s - self._base_s) * 1_000 * (1 - DRIFT)
