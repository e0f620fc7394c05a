"""The bearer token of the API: from GORODOK_REFLEX_TOKEN, else a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
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
        raise TokenError(
            f"{path}: {error.strerror}; start `gorodok reflex` once, or set GORODOK_REFLEX_TOKEN"
        ) from error
    if mode & 0o077:
        raise TokenError(f"{path} has mode {mode:o}: others can read the token; `chmod 600` it and make a new one")
    return text


def make_token(settings: Settings) -> str:
    """For the reflex process: the token, written first where there is none (mode 0600)."""
    path = token_path(settings)
    if settings.reflex_token is None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".api-token-{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
            sink.write(secrets.token_urlsafe(32))
        try:
            os.link(draft, path)  # another process may have been quicker: then its token stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return read_token(settings)
