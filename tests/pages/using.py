"""Pages over the settings of a test."""

from __future__ import annotations

import pytest

from apps.streamlit import data
from city import settings as city_settings
from city.settings import Settings


def use(monkeypatch: pytest.MonkeyPatch, chosen: Settings) -> None:
    monkeypatch.setattr(data, "settings", lambda: chosen)
    monkeypatch.setattr(city_settings, "settings", lambda: chosen)
