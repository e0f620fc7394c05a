"""A crossing's lamps with their brightness, and its presence sensor."""

from __future__ import annotations

from collections import deque
from typing import Any


class Crossing:
    """broken: no light comes, whatever is commanded (tests)."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.moves = 0
        self.level = 0
        """Brightness, percent."""
        self._saw: deque[dict[str, Any]] = deque(maxlen=100)

    def do(self, action: str, level: int | None = None, text: str | None = None) -> None:
        wanted = (100 if level is None else level) if action == "light_on" else 0
        self.moves += wanted != self.level
        self.level = wanted

    def state(self) -> str:
        """on | off: from the lamps' current, not from the relay."""
        return "on" if self.level and not self.broken else "off"

    def see(self, **reading: Any) -> None:
        """The radar or camera saw somebody: distance_m, speed_m_s, direction."""
        self._saw.append(reading)

    def reading(self) -> dict[str, Any] | None:
        return self._saw.popleft() if self._saw else None
