"""CAP alerts (docs.oasis-open.org/emergency/cap/v1.2) and hostile XML, read without I/O. Adapters and actuation share
it.

`parse(data)` reads one alert. Nothing here says whether to believe it: that is actuation.cap.
"""

from __future__ import annotations

from ingest.cap.alert import CAP, UnusableAlertError, alert_fields, alerts_in
from ingest.cap.parsed import Parsed, of_element, parse, split
from ingest.cap.xml import UnsafeXmlError

__all__ = [
    "CAP",
    "Parsed",
    "UnsafeXmlError",
    "UnusableAlertError",
    "alert_fields",
    "alerts_in",
    "of_element",
    "parse",
    "split",
]
