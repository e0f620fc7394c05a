"""A device's key from the master secret: 10,000 devices need one secret file here, and one key each over there."""

from __future__ import annotations

import hmac


def device_key(master: bytes, city: str, device_id: str, generation: int, serial: int) -> bytes:
    """32 bytes: HMAC-SHA256 of the names under the master secret.

    generation: of the master. serial: of the device's own key, 0 until one was revoked.
    """
    name = "\x1f".join(("gorodok-device", city, device_id, str(generation), str(serial)))
    return hmac.digest(master, name.encode(), "sha256")
