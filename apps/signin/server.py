"""The demo's provider: oidc-provider-mock's protocol, our pages, our users, our one client, loopback only.

The library would take any client and any user, shows a page with a style sheet from the internet, and lets users be
made over HTTP; the guard lets through what a sign-in needs and nothing else.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path

import flask
from oidc_provider_mock import User, init_app
from werkzeug.serving import BaseWSGIServer, make_server

from apps.signin.people import PEOPLE
from apps.streamlit.signin import DEMO_CLIENT, Client, redirect_uri
from city.settings import Settings

ALLOWED = frozenset(
    {
        "/.well-known/openid-configuration", "/jwks", "/oauth2/authorize", "/oauth2/token", "/userinfo",
        "/oauth2/end_session", "/oauth2/end_session/confirm",
    }
)  # fmt: skip
TEMPLATES = Path(__file__).parent / "templates"


class SigninRefusedError(RuntimeError):
    """The demo's sign-in must not run here; the message says why and what to do."""


def check(settings: Settings) -> None:
    """Raises SigninRefusedError unless this is a demo on this machine only."""
    if settings.oidc_issuer is not None:
        raise SigninRefusedError(
            f"GORODOK_OIDC_ISSUER is {settings.oidc_issuer}: the city has a provider, so the demo's does not start"
        )
    if not settings.demo_signin:
        raise SigninRefusedError(
            "GORODOK_DEMO_SIGNIN is not set: a sign-in without passwords is for `gorodok demo` only"
        )
    if not _loopback(settings.host):
        raise SigninRefusedError(
            f"GORODOK_HOST is {settings.host}: a sign-in without passwords listens on 127.0.0.1 only"
        )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_app(settings: Settings, client: Client) -> flask.Flask:
    """The WSGI application. Raises SigninRefusedError where it must not run."""
    check(settings)
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # this process only: http to 127.0.0.1
    app = flask.Flask(__name__, template_folder=str(TEMPLATES))
    users = [User(sub=one.sub, claims={"email": one.mail, "email_verified": True, "name": one.name}) for one in PEOPLE]
    init_app(app, require_nonce=False, issue_refresh_token=False, user_claims=users)
    app.debug = False  # the library shows tracebacks
    app.secret_key = os.urandom(32)
    own_redirect = redirect_uri(settings)

    @app.before_request
    def only_ours() -> flask.typing.ResponseReturnValue | None:
        return _refused(client, own_redirect)

    @app.context_processor
    def people() -> dict[str, object]:
        return {"people": PEOPLE}

    return app


def _refused(client: Client, own_redirect: str) -> flask.typing.ResponseReturnValue | None:
    """None lets the request through."""
    asked, given = flask.request, flask.request.values
    if asked.path not in ALLOWED:
        return "not here", 404
    if asked.path == "/oauth2/authorize":
        known = {one.sub for one in PEOPLE}
        if given.get("client_id") != client.client_id or given.get("redirect_uri") != own_redirect:
            return "not our client", 400
        if asked.method == "POST" and asked.form.get("action") != "deny" and asked.form.get("sub") not in known:
            return "nobody of that name", 400
    if asked.path == "/oauth2/token" and not _authentic(asked, client):
        return {"error": "invalid_client"}, 401
    target = given.get("redirect_uri") if asked.path.startswith("/oauth2/end_session/") else None
    if (target or given.get("post_logout_redirect_uri") or own_redirect) != own_redirect:
        return "not our page", 400
    return None


def _authentic(asked: flask.Request, client: Client) -> bool:
    """Client id and secret by HTTP Basic or in the form (RFC 6749, 2.3.1)."""
    basic = asked.authorization
    name = (basic.username if basic else asked.form.get("client_id")) or ""
    secret = (basic.password if basic else asked.form.get("client_secret")) or ""
    right = hmac.compare_digest(secret.encode(), client.client_secret.get_secret_value().encode())
    return right and name == client.client_id == DEMO_CLIENT


def make_wsgi(settings: Settings, client: Client) -> BaseWSGIServer:
    """A threaded server on GORODOK_HOST and GORODOK_SIGNIN_PORT; `serve_forever` runs it."""
    return make_server(settings.host, settings.signin_port, make_app(settings, client), threaded=True)
