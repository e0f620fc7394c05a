"""Passwords for the broker: derived like devices' keys, so that nothing but one secret file must be kept."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from actuation.keys.files import read_private, write_private
from actuation.wire.base64url import encode

BROKER = "broker.key"


def broker_secret(folder: Path) -> bytes:
    """32 bytes; made when it is not there yet. KeysError when others can read it."""
    path = folder / BROKER
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return read_private(path)


def broker_password(secret: bytes, user: str, serial: int = 0) -> str:
    """Of a device or a service. serial: of the device's own key, so that a revoked device cannot log in either."""
    return encode(hmac.digest(secret, f"password\x1f{user}\x1f{serial}".encode(), "sha256")).decode()
