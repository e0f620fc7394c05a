"""A shelter's door. The lock keeps people out, never in: the way out is mechanical and no message reaches it."""

from __future__ import annotations

from typing import Any


class Door:
    """jammed: the bolt stays where it is, whatever is commanded (tests)."""

    def __init__(self, *, jammed: bool = False) -> None:
        self.jammed = jammed
        self.moves = 0
        """How often the bolt moved."""
        self._bolt_out = True
        self._leaf_open = False
        self._wanted_out = True

    def do(self, action: str, level: int | None = None, text: str | None = None) -> None:
        self._wanted_out = action == "lock"
        self._settle()

    def state(self) -> str:
        """locked | unlocked | open: a contact at the bolt and one at the leaf."""
        if self._leaf_open:
            return "open"
        return "locked" if self._bolt_out else "unlocked"

    def reading(self) -> dict[str, Any] | None:
        return None

    def enter(self) -> bool:
        """Somebody outside pulls. True: the door opened."""
        self._leaf_open = self._leaf_open or not self._bolt_out
        return self._leaf_open

    def leave(self) -> bool:
        """Somebody inside pushes the bar: it draws the bolt by hand. Always True, jammed, locked or without power."""
        self._leaf_open = True
        return True

    def shut(self) -> None:
        """The leaf falls shut; the bolt goes where it was told last."""
        self._leaf_open = False
        self._settle()

    def _settle(self) -> None:
        if self.jammed or self._bolt_out == self._wanted_out or (self._leaf_open and self._wanted_out):
            return  # a bolt does not go out while the leaf stands open
        self._bolt_out = self._wanted_out
        self.moves += 1
