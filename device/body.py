"""What a controller drives: commanded by `do`, told by a sensor of its own. The two may differ: that is the point."""

from __future__ import annotations

from typing import Any, Protocol


class Body(Protocol):
    """A door, a lamp, a siren, a display. Replace it with one that moves relays and reads contacts."""

    def do(self, action: str, level: int | None, text: str | None) -> None:
        """Starts it and returns at once. What it was told before is forgotten. The same again changes nothing.

        It does not raise: what cannot be done is seen by `state`."""

    def state(self) -> str:
        """What the sensor says now: lower-case words, never what was commanded."""

    def reading(self) -> dict[str, Any] | None:
        """Something that its sensors saw since the last call (a crossing's walkers); None when nothing."""


GOALS = {
    "unlock": ("unlocked", "open"),
    "lock": ("locked",),
    "light_on": ("on",),
    "light_off": ("off",),
    "siren_on": ("on",),
    "siren_off": ("off",),
    "show": ("shown", "blank"),
}
"""What the sensor may say when the action is done."""

ENDS = {"unlock": "lock", "light_on": "light_off", "siren_on": "siren_off", "show": "show"}
"""What ends what a command began, when its time is over. `lock` and the `_off` ones have no end."""
