"""Control topics: one level longer than a feed's, so that the gateway's `+/+` never lands them as messages.

gorodok/v1/<city>/ctl/<what>/<who>; payloads are described in docs/devices-protocol.md.
"""

from __future__ import annotations

from typing import Literal

from ingest.topics import PREFIX

What = Literal[
    "command",  # <device_id>: a signed command to one device (JWS)
    "zone",  # <zone_id>: a signed command to all devices of a zone (JWS)
    "keys",  # all: which signers are good now, signed by the root key (JWS); the one retained control message
    "clock",  # beacon: the signed, sequenced time (JWS); never retained
    "answer",  # <device_id>: a device's answer (JSON and HMAC)
    "sensed",  # <device_id>: what a device's sensor says of its state, or of what it sees (JSON and HMAC)
    "lease",  # reflex, will, state: which reflex process may act, and what it hands on (JSON and HMAC, retained)
    "cap",  # <source_id>: a CAP alert as the source sent it, original bytes (XML)
]


def control_topic(city: str, what: What, who: str) -> str:
    return f"{PREFIX}/{city}/ctl/{what}/{who}"


def parse_control(topic: str) -> tuple[str, str] | None:
    """(what, who) of a control topic; None for any other."""
    parts = topic.split("/")
    return (parts[4], parts[5]) if len(parts) == 6 and parts[3] == "ctl" else None
