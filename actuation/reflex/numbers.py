"""Numbers of commands: they rise for every device, whoever holds the lease, and whatever was lost.

A device refuses a number that is not above the last it took (`sequence`), so a number that falls would shut every door.
Three sources, and the highest counts: the ledger's own (microseconds since 1970, kept on its disk), what this
process has used, and what the claim of another holder said it had used. So numbers go on when the ledger is lost, when
the broker's memory is lost, and when the next holder's clock is behind; they do not run away from the clock by
restarts, as a number made of the lease's epoch would.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

ABOVE = 2**20
"""So far above the number that another holder's claim names do we begin: what it may have used since it said so.
A claim is repeated twice a second; a signer makes 10,000 commands a second at most."""


class Numbers:
    """next_seq: `Ledger.next_seq`. heard: the highest number that the claim of any other holder named, 0 for none."""

    def __init__(self, next_seq: Callable[[], int], heard: Callable[[], int]) -> None:
        self._next_seq, self._heard = next_seq, heard
        self._last = 0
        self._turn = threading.Lock()

    def next(self) -> int:
        heard = self._heard()
        with self._turn:
            self._last = max(self._next_seq(), self._last + 1, heard + ABOVE if heard else 0)
            return self._last

    @property
    def last(self) -> int:
        """The highest number used by this process; 0 before the first."""
        return self._last
