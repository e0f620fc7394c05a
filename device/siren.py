"""A siren, with a microphone before its horn."""

from __future__ import annotations

from typing import Any


class Siren:
    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.moves = 0
        self._sounds = False

    def do(self, action: str, level: int | None = None, text: str | None = None) -> None:
        wanted = action == "siren_on"
        self.moves += wanted != self._sounds
        self._sounds = wanted

    def state(self) -> str:
        """on | off."""
        return "on" if self._sounds and not self.broken else "off"

    def reading(self) -> dict[str, Any] | None:
        return None
