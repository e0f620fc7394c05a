"""When the landing sensor asks for a load: a pure decision over what waits, what was asked for, and the clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.landing.segments import sealed_segments

ASK_AGAIN_S = 120.0
"""The same segments still wait and no run is under way: the run died before it loaded them."""

PATIENCE_S = 300.0
"""The platform's own bookkeeping comes every minute and hurries nobody: it waits for company this long."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Sealed segments of one feed, oldest first, and their size."""

    feed: str
    segments: tuple[str, ...]
    bytes: int


class Cursor(BaseModel):
    """What the sensor remembers. newest: last segment seen by feed; asked: digest of what was asked for last."""

    model_config = ConfigDict(extra="forbid")

    newest: dict[str, str] = {}
    asked: str = ""
    asked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """feeds: load these now (none: `why` says why not). fresh: segments that were not seen before, by feed."""

    cursor: Cursor
    feeds: tuple[str, ...] = ()
    run_key: str = ""
    why: str = ""
    fresh: Mapping[str, Waiting] = field(default_factory=dict)


def look(settings: Settings) -> list[Waiting]:
    """What waits for the load now, feeds with nothing left out."""
    found = []
    for feed in CONTRACTS:
        sizes = {}
        for path in sealed_segments(settings.landing_dir, feed):
            try:
                sizes[path.stem] = path.stat().st_size
            except FileNotFoundError:  # loaded and archived since it was listed
                continue
        if sizes:
            found.append(Waiting(feed, tuple(sizes), sum(sizes.values())))
    return found


def decide(waiting: Sequence[Waiting], cursor: Cursor, now_s: float, *, busy: bool) -> Decision:
    """Asks once for each set of waiting segments, never while a load is under way, again when one was lost."""
    fresh = {each.feed: each for each in waiting if each.segments[-1] > cursor.newest.get(each.feed, "")}
    seen = cursor.model_copy(
        update={"newest": cursor.newest | {feed: each.segments[-1] for feed, each in fresh.items()}}
    )
    if not waiting:
        return Decision(seen, why="no sealed segment waits")
    if busy:
        return Decision(seen, why="a load is under way; what waits comes with the next one", fresh=fresh)
    digest = _digest(waiting)
    since_s = now_s - cursor.asked_at
    if digest == cursor.asked and since_s < ASK_AGAIN_S:
        return Decision(seen, why="asked for already", fresh=fresh)
    if all(_hurries_nobody(each.feed) for each in waiting) and since_s < PATIENCE_S:
        return Decision(seen, why="only the platform's own bookkeeping waits", fresh=fresh)
    asked = seen.model_copy(update={"asked": digest, "asked_at": now_s})
    feeds = tuple(each.feed for each in waiting)
    return Decision(asked, feeds, run_key=f"{digest}-{now_s:.0f}", fresh=fresh)


def _hurries_nobody(feed: str) -> bool:
    spec = CONTRACTS[feed].spec
    return spec.origin == "platform" and not spec.live


def _digest(waiting: Sequence[Waiting]) -> str:
    names = "\n".join(name for each in waiting for name in each.segments)
    return hashlib.sha256(names.encode()).hexdigest()[:16]
