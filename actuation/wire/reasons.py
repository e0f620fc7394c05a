"""Why a message is not accepted: a closed list, the same on both sides of the wire."""

from __future__ import annotations

from typing import Literal, get_args

Reason = Literal[
    "unsigned",  # no signature at all, or "alg": "none"
    "signature",  # signed, and the signature is not good
    "unknown_key",  # signed by a key that is not trusted (here): a stranger's, or one that was revoked
    "clock",  # the device has no time from a beacon
    "expired",  # later than exp
    "not_yet",  # earlier than nbf
    "repeated",  # the id of an earlier command that said something else: a drill's live twin
    "sequence",  # older than a command that was accepted
    "wrong_city",
    "wrong_zone",
    "wrong_device",
    "unsupported",  # this device has no such action
    "malformed",  # not the form of the protocol page
]
REASONS: tuple[Reason, ...] = get_args(Reason)
