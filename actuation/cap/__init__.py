"""CAP alerts judged: who sent them, whether it may act, which zones it is about. Sending our own: actuation.cap.out.

judge(data, source, zones, seen, now) → Accepted | Ignored | Refused
"""

from __future__ import annotations

from actuation.cap.judging import judge
from actuation.cap.seen import Seen, SeenAlerts, Sighting
from actuation.cap.source import CapSource, CapSources, CapSourcesError, load_cap_sources
from actuation.cap.verdict import Accepted, Ignored, Refused, Verdict
from actuation.cap.zones import ZoneIndex

__all__ = [
    "Accepted",
    "CapSource",
    "CapSources",
    "CapSourcesError",
    "Ignored",
    "Refused",
    "Seen",
    "SeenAlerts",
    "Sighting",
    "Verdict",
    "ZoneIndex",
    "judge",
    "load_cap_sources",
]
