"""Alerts of our own: built as CAP 1.2, signed, shown in an Atom index, handed to receivers until they accept.

CapOut is what the reflex process runs; AtomHandler answers those who fetch.
"""

from __future__ import annotations

from actuation.cap.out.atom import AtomHandler
from actuation.cap.out.build import NotOursToSendError, build, two_languages
from actuation.cap.out.certificate import CapKey, CapKeyError, key_folder, make_cap_key
from actuation.cap.out.outbox import Outbox
from actuation.cap.out.receivers import Receivers, ReceiversError, load_receivers
from actuation.cap.out.service import CapOut

__all__ = [
    "AtomHandler",
    "CapKey",
    "CapKeyError",
    "CapOut",
    "NotOursToSendError",
    "Outbox",
    "Receivers",
    "ReceiversError",
    "build",
    "key_folder",
    "load_receivers",
    "make_cap_key",
    "two_languages",
]
