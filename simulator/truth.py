"""The ground truth: one JSON object a line in `<home>/simulator/truth.jsonl`, of everything that truly happened.

what = sent       messages given to the broker: feed, topic, fault (None, duplicate, late, skewed), keys
       malformed  spoilt bytes given to the broker, one quarantine row each: feed, topic, how, sha256
       lost       a message that never left its device: feed, device, boot_id, sequence, key
       served     what an HTTP feed answered: feed, path, keys
       command    what a device did with a command: device_id, command_id, did (deaf, or its answer's result), state
       zone       an hour of an area's water: zone_id, from, until, used_m3, lost_m3
       illegal_connection, dead_meter   what house balances should show: house_id; meter_id
       meter_fault   a wrong reading that was made on demand: kind, meter_id, event_time (true)
A key is the contract's key in its order; `at` is when it happened.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from city.settings import Settings
from simulator.life.source import rfc3339

Key = tuple[Any, ...]


def truth_path(settings: Settings) -> Path:
    return settings.home / "simulator" / "truth.jsonl"


class Truth:
    """Writes the file; any thread may. A line is handed to the system at `flush`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def note(self, what: str, **facts: Any) -> None:
        line = json.dumps({"what": what, "at": rfc3339(time.time()), **facts}, ensure_ascii=False)
        with self._lock:
            self._file.write(line + "\n")

    def flush(self) -> None:
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read_truth(path: Path) -> Iterator[dict[str, Any]]:
    """The facts in order; a torn last line (the simulator was killed) is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


@dataclass(slots=True)
class FeedTruth:
    """keys: distinct good messages sent by MQTT; messages: with repeats; served: distinct ones answered by HTTP."""

    keys: set[Key] = field(default_factory=set)
    messages: int = 0
    duplicates: int = 0
    malformed: int = 0
    lost: int = 0
    served: set[Key] = field(default_factory=set)


def totals(path: Path) -> dict[str, FeedTruth]:
    """Feed → what a lake must hold of it: `keys | served`, and `malformed` rows in quarantine."""
    found: dict[str, FeedTruth] = {}
    for fact in read_truth(path):
        if "feed" not in fact:
            continue
        feed = found.setdefault(fact["feed"], FeedTruth())
        if fact["what"] == "sent":
            feed.messages += len(fact["keys"])
            feed.duplicates += len(fact["keys"]) if fact["fault"] == "duplicate" else 0
            feed.keys.update(map(tuple, fact["keys"]))
        elif fact["what"] == "served":
            feed.served.update(map(tuple, fact["keys"]))
        elif fact["what"] in ("malformed", "lost"):
            setattr(feed, fact["what"], getattr(feed, fact["what"]) + 1)
    return found
