"""Places where a test may kill this process: GORODOK_FAILPOINT=after_ledger:3 kills it the third time it gets there.

SIGKILL, so that nothing is tidied up: no `finally`, no flush. Without the variable a call costs a dict look-up.
"""

from __future__ import annotations

import os
import signal
from typing import Literal, get_args

Point = Literal[
    "before_ledger",  # events were taken, nothing is written
    "after_ledger",  # written and fsynced, nothing has left
    "after_publish",  # commands have left, the broker's acknowledgement has not come
    "after_ack",  # the broker was told that we have its messages
    "after_answers",  # answers are in the ledger, their messages not acknowledged
]
POINTS: tuple[Point, ...] = get_args(Point)
_left: dict[str, int] = {}


def arm(text: str | None) -> None:
    """ "point:times"; raises ValueError that names the points."""
    _left.clear()
    if not text:
        return
    name, _, times = text.partition(":")
    if name not in POINTS:
        raise ValueError(f"GORODOK_FAILPOINT names {name!r}; known: {', '.join(POINTS)}")
    _left[name] = int(times or 1)


def reach(name: Point) -> None:
    if not _left or name not in _left:
        return
    _left[name] -= 1
    if _left[name] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("GORODOK_FAILPOINT"))
