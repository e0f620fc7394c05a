"""Checks the classes that somebody asked for against those that the weights know."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from vision_jobs.errors import VisionError


def check_classes(wanted: Iterable[str] | None, known: frozenset[str]) -> None:
    """A class that the weights do not know would never be seen, and nobody would notice: VisionError."""
    for name in sorted(set(wanted or ()) - known):
        near = difflib.get_close_matches(name, known, n=3)
        raise VisionError(
            f"classes: the weights do not know {name!r}",
            f"did you mean {', '.join(near)}?" if near else f"they know: {', '.join(sorted(known))}",
        )
