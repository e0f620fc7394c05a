"""The two files that mosquitto 2 reads: acl_file and password_file."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from actuation.acl.rights import User

SALT = 12
"""Bytes: mosquitto 2.0.11 takes no other length."""

ITERATIONS = 101
"""mosquitto's own number. Our passwords are 256 random bits: there is nothing to guess."""


def acl_file(users: Iterable[User]) -> str:
    """Nobody else may do anything: a login without lines has no rights, and there is no line without a login."""
    lines = ["# Made by `gorodok acl`; do not edit."]
    for user in users:
        lines += ["", f"user {user.name}", *(f"topic {right.access} {right.topic}" for right in user.rights)]
    return "\n".join(lines) + "\n"


def password_file(passwords: Mapping[str, str], secret: bytes) -> str:
    """user:$7$iterations$salt$hash (PBKDF2, SHA-512). Salts are derived: the file changes only when it must."""
    return "".join(f"{user}:{_hashed(user, password, secret)}\n" for user, password in passwords.items())


def _hashed(user: str, password: str, secret: bytes) -> str:
    salt = hmac.digest(secret, f"salt\x1f{user}".encode(), "sha512")[:SALT]
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
