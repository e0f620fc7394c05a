"""The page's end of the sign-in: Streamlit's secrets file, written under GORODOK_HOME with owner-only rights.

The provider is the city's (GORODOK_OIDC_ISSUER, …_CLIENT_ID, …_CLIENT_SECRET) or, in a demo, the one of `apps.signin`.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from city.settings import Settings

SECRETS = "keys/streamlit-secrets.toml"
COOKIE = "keys/cookie-secret"
DEMO_SECRET = "keys/signin-client-secret"  # noqa: S105 - a file's name
DEMO_CLIENT = "gorodok-pages"


class SigninError(RuntimeError):
    """The settings of the provider are not whole; the message names the one that is missing."""


@dataclass(frozen=True)
class Client:
    """What the pages are to the provider."""

    issuer: str
    client_id: str
    client_secret: SecretStr


def redirect_uri(settings: Settings) -> str:
    """Where the provider sends people back to; it must be registered there."""
    base = settings.pages_url or f"http://{settings.host}:{settings.streamlit_port}"
    return f"{base.rstrip('/')}/oauth2callback"


def client(settings: Settings) -> Client | None:
    """The city's provider, else the demo's, else none: then every page is a viewer's."""
    if settings.oidc_issuer is not None:
        if settings.oidc_client_id is None or settings.oidc_client_secret is None:
            missing = "GORODOK_OIDC_CLIENT_ID" if settings.oidc_client_id is None else "GORODOK_OIDC_CLIENT_SECRET"
            raise SigninError(f"GORODOK_OIDC_ISSUER is set and {missing} is not: set it, or unset the issuer")
        return Client(settings.oidc_issuer.rstrip("/"), settings.oidc_client_id, settings.oidc_client_secret)
    return demo_client(settings) if settings.demo_signin else None


def demo_client(settings: Settings) -> Client:
    """The one client of the demo's provider; its secret is made once and kept in a file of the owner's."""
    secret = _made_once(settings.home / DEMO_SECRET)
    return Client(f"http://{settings.host}:{settings.signin_port}", DEMO_CLIENT, SecretStr(secret))


def prepare(settings: Settings) -> Path:
    """Writes Streamlit's secrets anew; without a provider an empty file, so that no other secrets are read."""
    path = settings.home / SECRETS
    found = client(settings)
    text = ""
    if found is not None:
        values = {
            "redirect_uri": redirect_uri(settings),
            "cookie_secret": _made_once(settings.home / COOKIE),
            "client_id": found.client_id,
            "client_secret": found.client_secret.get_secret_value(),
            "server_metadata_url": f"{found.issuer}/.well-known/openid-configuration",
        }
        # a JSON string is a TOML basic string
        text = "[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    _write(path, text)
    return path


def _made_once(path: Path) -> str:
    if not path.exists():
        _write(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()


def _write(path: Path, text: str) -> None:
    """Only its owner can read it, from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as sink:
        sink.write(text)
    draft.replace(path)
