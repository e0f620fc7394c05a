"""`gorodok alert`: what a person reads before trusting a sender, and before giving out our certificate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from apps.cli.main import app
from city.settings import settings
from simulator.speak.cap_sign import CapSigner
from tests.actuation.cap.signing import alert

runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GORODOK_HOME", str(tmp_path))
    settings.cache_clear()
    return tmp_path


def ask(*arguments: str, code: int = 0) -> list[dict[str, object]]:
    result = runner.invoke(app, ["alert", *arguments, "--json"])
    assert result.exit_code == code, result.output
    found = json.loads(result.output)
    return found if isinstance(found, list) else [found]


def test_our_certificate_is_made_once(home: Path) -> None:
    first, again = ask("cert")[0], ask("cert")[0]
    assert first == again
    certificate = x509.load_pem_x509_certificate(Path(str(first["certificate"])).read_bytes())
    assert "Gorodok CAP sender: gorodok" in certificate.subject.rfc4514_string()
    assert (home / "keys" / "cap-key.pem").stat().st_mode & 0o077 == 0
    assert ask("cert", "--new")[0]["sha256"] != first["sha256"]


def test_sources_say_what_is_missing(home: Path) -> None:
    assert any("not there yet" in str(row["warning"]) for row in ask("sources", code=1))
    CapSigner(home)
    assert not any(row["warning"] for row in ask("sources"))


def test_an_alert_is_judged_without_acting(home: Path, tmp_path: Path) -> None:
    signer = CapSigner(home)
    file = tmp_path / "a.xml"
    file.write_bytes(signer.sign(alert(sender="edds@gorodok.example", area="<circle>57.6,39.9 0</circle>")))
    [row] = ask("check", str(file), "--at", "2026-03-01T09:00:00", code=1)
    assert row["verdict"] == "certificate", "the simulator's certificate is younger than this alert"
    file.write_bytes(b"<alert/>")
    assert ask("check", str(file), code=1)[0]["verdict"] == "version"
    assert runner.invoke(app, ["alert", "check", str(file), "--source", "nobody"]).exit_code == 2


def test_a_text_is_read_without_acting() -> None:
    [row] = ask("text", "Ракетная опасность в Заречном")
    assert (row["rule"], row["zones"], row["acts"]) == ("missile", "dma-1", False)
    assert ask("text", "Вчера была ракетная опасность", code=1) == []
