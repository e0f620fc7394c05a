"""The bearer token of the API: from GORODOK_REFLEX_TOKEN, else a file that only its owner can read."""

from __future__ import annotations

from pathlib import Path

from city.settings import Settings


class TokenError(RuntimeError):
    """There is no token, or others can read it."""


def token_path(settings: Settings) -> Path:
    return settings.home / "keys" / "api-token"


def read_token(settings: Settings) -> str:
    """For clients. Raises TokenError with the remedy."""
    if settings.reflex_token is not None:
        return settings.reflex_token.get_secret_value()
    path = token_path(settings)
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text().strip()
    except OSError as error:
        raise TokenError(f"{path}: {error.strerror}; run `gorodok keys new`, or set GORODOK_REFLEX_TOKEN") from error
    if mode & 0o077:
        raise TokenError(f"{path} has mode {mode:o}: others can read the token; `chmod 600` it and make a new one")
    return text
