"""How long to wait before the next fetch."""

from __future__ import annotations

import random
from collections.abc import Callable

LONGEST_S = 3_600.0


class Backoff:
    """`every_s` while all is well; after n failures in a row a random time between every_s and every_s * 2^n, an hour
    at most (exponential with jitter, so that a hundred cities do not knock at a server that comes back at once);
    never sooner than the server's Retry-After."""

    def __init__(self, every_s: float, chance: Callable[[], float] = random.random) -> None:
        self._every_s = every_s
        self._chance = chance
        self.failures = 0

    def succeeded(self) -> float:
        self.failures = 0
        return self._every_s

    def failed(self, retry_after_s: float | None = None) -> float:
        self.failures += 1
        longest = max(self._every_s, min(LONGEST_S, self._every_s * 2.0 ** min(self.failures, 30)))
        wait_s = self._every_s + self._chance() * (longest - self._every_s)
        return max(wait_s, retry_after_s or 0.0)
