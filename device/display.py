"""A display: shows a text until the command's time ends, then is blank."""

from __future__ import annotations

from typing import Any


class Display:
    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.moves = 0
        self.text = ""

    def do(self, action: str, level: int | None = None, text: str | None = None) -> None:
        self.moves += (text or "") != self.text
        self.text = text or ""

    def state(self) -> str:
        """shown | blank | dark: by the panel's own check."""
        if self.broken:
            return "dark"
        return "shown" if self.text else "blank"

    def reading(self) -> dict[str, Any] | None:
        return None
