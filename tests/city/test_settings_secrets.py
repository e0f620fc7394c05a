"""An environment variable that is there and empty (a compose file, a unit file) is no secret that everybody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from actuation.keys import change
from actuation.reflex.token import read_token
from city.settings import Settings


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_token_of_the_reflex_api_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty: str) -> None:
    """It would be equal to the token of a request without any."""
    monkeypatch.setenv("GORODOK_REFLEX_TOKEN", empty)
    change.create(tmp_path / "keys", "gorodok")
    found = Settings(home=tmp_path)
    assert found.reflex_token is None
    assert len(read_token(found)) > 32
