"""The demo's provider refuses to be anything else, and its guard lets through a sign-in of ours and nothing more."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from werkzeug.test import Client as Browser

from apps.signin.server import SigninRefusedError, check, make_app
from apps.streamlit import signin
from city.settings import Settings


@pytest.fixture
def demo(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, demo_signin=True)


@pytest.fixture
def browser(demo: Settings) -> Browser:
    return Browser(make_app(demo, signin.demo_client(demo)))


def asked(demo: Settings, **more: str) -> dict[str, str]:
    told = {"response_type": "code", "client_id": "gorodok-pages", "scope": "openid email profile", "state": "s",
            "nonce": "n", "redirect_uri": signin.redirect_uri(demo)}  # fmt: skip
    return {**told, **more}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"oidc_issuer": "https://id.city.example"}, "GORODOK_OIDC_ISSUER"),
        ({"demo_signin": False}, "GORODOK_DEMO_SIGNIN"),
        ({"host": "0.0.0.0"}, "127.0.0.1 only"),
        ({"host": "192.168.1.5"}, "127.0.0.1 only"),
    ],
)
def test_it_runs_for_a_demo_on_this_machine_only(demo: Settings, change: dict[str, Any], why: str) -> None:
    with pytest.raises(SigninRefusedError, match=why):
        check(demo.model_copy(update=change))


def test_a_sign_in_gives_the_name_and_the_mail(demo: Settings, browser: Browser) -> None:
    page = browser.get("/oauth2/authorize", query_string=asked(demo))
    assert "Анна Дежурная" in page.text
    assert "http" not in page.text.replace("https://www.w3.org", ""), "no style sheet of somebody else's"
    answer = browser.post("/oauth2/authorize", query_string=asked(demo), data={"sub": "duty1"})
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    client = signin.demo_client(demo)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": signin.redirect_uri(demo)}
    secret = client.client_secret.get_secret_value()
    assert browser.post("/oauth2/token", data=form, auth=(client.client_id, "wrong")).status_code == 401
    tokens = browser.post("/oauth2/token", data=form, auth=(client.client_id, secret)).json
    assert tokens is not None
    told = browser.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json
    assert told == {"sub": "duty1", "email": "duty1@gorodok.example", "email_verified": True, "name": "Анна Дежурная"}


def test_the_guard(demo: Settings, browser: Browser) -> None:
    assert browser.get("/oauth2/authorize", query_string=asked(demo, redirect_uri="http://evil/")).status_code == 400
    assert browser.get("/oauth2/authorize", query_string=asked(demo, client_id="other")).status_code == 400
    assert browser.post("/oauth2/authorize", query_string=asked(demo), data={"sub": "root"}).status_code == 400
    assert browser.put("/users/duty1", json={"email": "admin@gorodok.example"}).status_code == 404
    assert browser.post("/oauth2/clients", json={"redirect_uris": ["http://evil/"]}).status_code == 404
    assert browser.get("/").status_code == 404
    out = {"redirect_uri": "http://evil/"}
    assert browser.post("/oauth2/end_session/confirm", data=out).status_code == 400


def test_secrets_are_the_owners_alone(demo: Settings) -> None:
    path = signin.prepare(demo)
    told = tomllib.loads(path.read_text())["auth"]
    assert told["server_metadata_url"] == "http://127.0.0.1:8495/.well-known/openid-configuration"
    assert len(told["cookie_secret"]) >= 32
    for file in (path, *(demo.home / name for name in (signin.COOKIE, signin.DEMO_SECRET))):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = tomllib.loads(signin.prepare(demo).read_text())["auth"]
    assert again == told, "a restart must not sign everybody out"


def test_the_citys_provider_comes_before_the_demos(demo: Settings, tmp_path: Path) -> None:
    city = demo.model_copy(update={"oidc_issuer": "https://id.city.example/realms/city/", "oidc_client_id": "pages"})
    with pytest.raises(signin.SigninError, match="GORODOK_OIDC_CLIENT_SECRET is not"):
        signin.prepare(city)
    whole = city.model_copy(update={"oidc_client_secret": SecretStr('a"b'), "pages_url": "https://city.example"})
    told = tomllib.loads(signin.prepare(whole).read_text())["auth"]
    assert told["client_secret"] == 'a"b'
    assert told["redirect_uri"] == "https://city.example/oauth2callback"
    assert told["server_metadata_url"] == "https://id.city.example/realms/city/.well-known/openid-configuration"
    assert signin.prepare(demo.model_copy(update={"demo_signin": False})).read_text() == ""
