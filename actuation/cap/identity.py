"""What names an alert for ever: sender, identifier and sent (CAP 1.2, 3.2.1), in one spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from actuation.cap.verdict import RefusedError
from actuation.scenario.event import Trust
from ingest.moments import moment

FORBIDDEN = re.compile(r"[\s,<&]")
"""CAP 1.2, 3.2.1: "MUST NOT include spaces, commas or restricted characters (< and &)"."""
MAX_REFERENCES = 1_000
UNVERIFIED = ",unverified"


def key_of(body: Mapping[str, Any], believed: Trust) -> str:
    """ "sender,identifier,sent". What nobody vouches for has a name of its own, or it could keep the real alert out."""
    for name in ("sender", "identifier"):
        if FORBIDDEN.search(body[name]):
            raise RefusedError("identity", f"<{name}> has white space, a comma, < or &", name, body[name])
    return as_believed(f"{body['sender']},{body['identifier']},{body['sent']}", believed)


def as_believed(key: str, believed: Trust) -> str:
    return key if believed != "none" else key + UNVERIFIED


def references_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys that an alert names in <references>, spelt as key_of spells them."""
    words = (body.get("references") or "").split()
    if len(words) > MAX_REFERENCES:
        raise RefusedError("references", f"{len(words)} references, at most {MAX_REFERENCES}", "references")
    return tuple(dict.fromkeys(_reference(word) for word in words))


def _reference(word: str) -> str:
    parts = word.split(",")
    sent = moment(parts[2], "UTC") if len(parts) == 3 else None
    if sent is None or not parts[0] or not parts[1]:
        raise RefusedError("references", "a reference is sender,identifier,sent", "references", word)
    return f"{parts[0]},{parts[1]},{sent}"
