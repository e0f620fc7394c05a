"""What a restarted simulator must know: how far it got, so that counters go on and nothing is sent twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from city.settings import Settings


@dataclass(frozen=True, slots=True)
class Memory:
    """Seconds since 1970. through_s: everything up to then was acknowledged; leak_from_s: when the main burst."""

    seed: int
    through_s: float
    leak_from_s: float


def memory_path(settings: Settings) -> Path:
    return settings.home / "simulator" / "memory.json"


def recall(settings: Settings, seed: int) -> Memory | None:
    """None at a first start, or when the town has another seed now: then it is another town."""
    try:
        found = Memory(**json.loads(memory_path(settings).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.seed == seed else None


def remember(settings: Settings, memory: Memory) -> None:
    path = memory_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(memory)))
    fresh.replace(path)
