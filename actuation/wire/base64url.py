"""Base64url without padding (RFC 7515, 2), and one text only for the same bytes."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Raises ValueError for padding, other alphabets and left-over bits, of which Python's decoder takes no notice."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if encode(data) != text:
        raise ValueError("not the one way to write these bytes in base64url")
    return data
